package command

import (
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"carillon/internal/exit"
	"carillon/internal/suggest"
)

// find returns the command that args name, and the arguments that follow its name.
func find(root *cobra.Command, args []string) (c *cobra.Command, rest []string, err error) {
	c, rest, err = root.Find(args)
	if err != nil || !c.HasAvailableSubCommands() || len(rest) == 0 || strings.HasPrefix(rest[0], "-") {
		return c, rest, err
	}
	return nil, nil, unknown(c, rest[0])
}

// unknown returns the error for a word that is no subcommand of c.
func unknown(c *cobra.Command, word string) error {
	hint := ""
	if near, ok := suggest.Nearest(word, names(c)); ok {
		hint = fmt.Sprintf(" (did you mean %s?)", near)
	}
	help := c.Root().Name() + " help" + strings.TrimPrefix(c.CommandPath(), c.Root().Name())
	return exit.Usagef("%s has no command %q%s; `%s` lists them", c.CommandPath(), word, hint, help)
}

// names returns the names of the subcommands of c.
func names(c *cobra.Command) (all []string) {
	for _, sub := range c.Commands() {
		if shown(sub) {
			all = append(all, sub.Name())
		}
	}
	return all
}

// shown reports whether help lists c. To cobra, the command help is not available.
func shown(c *cobra.Command) bool { return c.IsAvailableCommand() || c.Name() == "help" }
