package command

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"carillon/internal/terminal"
)

// newHelp returns the command that prints the help of the command that its arguments name.
func newHelp(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND]",
		Short:   "show this text, or the help of a command",
		Long:    "Shows what a command does, by example, and its flags.",
		Example: "  carillon help dev\n  carillon help member replace",
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			c, _, err := root.Find(args)
			if err != nil {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return names(c), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(_ *cobra.Command, args []string) error {
			c, _, err := find(root, args)
			if err != nil {
				return err
			}
			if c.Name() == "help" {
				c = root
			}
			return c.Help()
		},
	}
}

// printHelp writes the help of c.
func printHelp(c *cobra.Command, s *terminal.Streams) {
	out := s.Out
	if !c.HasParent() {
		fmt.Fprintf(out, "%s\n\nUsage: %s <command> [flags]\n", c.Short, c.Name())
	} else {
		fmt.Fprintf(out, "Usage: %s\n", usageLine(c))
	}
	if c.HasParent() && c.Long != "" {
		fmt.Fprintf(out, "\n%s\n", wrap(c.Long, s.Width))
	}
	printCommands(c, out)
	if c.Example != "" {
		fmt.Fprintf(out, "\n%s\n", c.Example)
	}
	if !c.HasParent() {
		fmt.Fprintf(out, "\n%s\n", wrap(c.Long, s.Width))
		return
	}
	if c.HasAvailableFlags() && !c.HasAvailableSubCommands() {
		fmt.Fprintln(out, "\nFlags:")
		c.Flags().VisitAll(func(f *pflag.Flag) { printFlag(f, s.Width, out) })
	}
}

// usageLine returns the form of the command line of c.
func usageLine(c *cobra.Command) string {
	if c.HasAvailableSubCommands() {
		return c.CommandPath() + " <command> [flags]"
	}
	return c.UseLine()
}

// printCommands lists the subcommands of c by group.
func printCommands(c *cobra.Command, out io.Writer) {
	groups := c.Groups()
	if len(groups) == 0 && c.HasAvailableSubCommands() {
		groups = []*cobra.Group{{}}
	}
	for _, g := range groups {
		fmt.Fprintln(out)
		if g.Title != "" {
			fmt.Fprintf(out, "%s:\n", g.Title)
		}
		for _, sub := range c.Commands() {
			if sub.GroupID == g.ID && shown(sub) {
				fmt.Fprintf(out, "  %-12s %s\n", sub.Name(), sub.Short)
			}
		}
	}
}

// printFlag writes a line of the list of flags.
func printFlag(f *pflag.Flag, width int, out io.Writer) {
	const column = 30
	if f.Hidden || f.Name == "help" {
		return
	}
	kind, text := pflag.UnquoteUsage(f)
	line := "  --" + f.Name
	if f.Shorthand != "" {
		line = "  -" + f.Shorthand + ", --" + f.Name
	}
	if kind != "" {
		line += " " + kind
	}
	if !slices.Contains([]string{"", "false", "0", "0s", "[]"}, f.DefValue) {
		text += " (default " + f.DefValue + ")"
	}
	indent := strings.Repeat(" ", column+1)
	if len(line) > column {
		line += "\n" + indent[1:]
	}
	text = strings.ReplaceAll(wrap(text, max(width-column-1, column)), "\n", "\n"+indent)
	fmt.Fprintf(out, "%-*s %s\n", column, line, text)
}

// wrap fills the paragraphs of text to lines of width columns at most. It keeps lines that are indented.
func wrap(text string, width int) string {
	var b strings.Builder
	column := 0
	for i, line := range strings.Split(text, "\n") {
		verbatim := line == "" || strings.HasPrefix(line, " ")
		if i > 0 && (verbatim || column == 0) {
			b.WriteByte('\n')
		}
		if verbatim {
			b.WriteString(line)
			column = 0
			continue
		}
		for word := range strings.FieldsSeq(line) {
			switch {
			case column == 0:
			case column+1+len(word) > width:
				b.WriteByte('\n')
				column = 0
			default:
				b.WriteByte(' ')
				column++
			}
			b.WriteString(word)
			column += len(word)
		}
	}
	return b.String()
}
