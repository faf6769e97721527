// Package command is what the commands for people have in common: how they are found, how their flags are
// parsed and set by environment variables, and how their help is printed. It is built on cobra. The roles that
// replace Dapr's programs parse their own flags; see package roleflag.
package command

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"carillon/internal/exit"
	"carillon/internal/terminal"
)

// Root completes the root of a tree of commands. helpGroup is the group of its command help.
func Root(root *cobra.Command, helpGroup string, s *terminal.Streams) {
	root.SilenceErrors, root.SilenceUsage = true, true
	root.Args = cobra.ArbitraryArgs // check refuses words that are no command
	root.CompletionOptions.DisableDefaultCmd = true
	help := newHelp(root)
	help.GroupID = helpGroup
	root.SetHelpCommand(help)
	root.AddCommand(help)
	root.SetHelpFunc(func(c *cobra.Command, _ []string) { printHelp(c, s) })
	root.SetFlagErrorFunc(flagError)
	root.PersistentPreRunE = func(c *cobra.Command, _ []string) error { return FromEnvironment(c, s) }
	if s.In != nil {
		root.SetIn(s.In)
	}
	root.SetOut(s.Out)
	root.SetErr(s.Err)
}

// Run runs the command that args name, below root.
func Run(ctx context.Context, root *cobra.Command, args []string) error {
	if err := check(root, args); err != nil {
		return err
	}
	root.SetArgs(args)
	return root.ExecuteContext(ctx)
}

// check returns an error if args name no command, or have a long flag with a single dash.
func check(root *cobra.Command, args []string) error {
	if len(args) > 0 && strings.HasPrefix(args[0], "__complete") {
		return nil
	}
	c, rest, err := find(root, args)
	if err != nil || c.DisableFlagParsing {
		return err
	}
	return checkDashes(c, rest)
}

// Group returns a command that only has subcommands.
func Group(c *cobra.Command, subs ...*cobra.Command) *cobra.Command {
	c.Args = cobra.ArbitraryArgs
	c.RunE = func(c *cobra.Command, _ []string) error {
		return exit.Usagef("%s: give a command: %s; see '%s --help'", c.Name(), strings.Join(names(c), ", "), c.CommandPath())
	}
	c.AddCommand(subs...)
	return c
}
