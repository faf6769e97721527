package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"carillon/internal/exit"
	"carillon/internal/terminal"
)

// newCompletion returns the command that prints the completion script of a shell.
func newCompletion(std *terminal.Streams) *cobra.Command {
	shells := []string{"bash", "zsh", "fish", "powershell"}
	choice := strings.Join(shells[:len(shells)-1], ", ") + " or " + shells[len(shells)-1]
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "print the completion script of a shell",
		Long: `Prints a script that lets a shell complete commands and flags: bash, zsh, fish or powershell. Load it in a session, or in
the file that the shell reads when it starts.`,
		Example: `  source <(carillon completion bash)
  source <(carillon completion zsh)
  carillon completion fish | source
  carillon completion powershell | Out-String | Invoke-Expression`,
		ValidArgs: shells,
		Args: func(_ *cobra.Command, args []string) error {
			switch {
			case len(args) != 1:
				return exit.Usagef("completion: name a shell: %s", choice)
			case !slices.Contains(shells, args[0]):
				return exit.Usagef("completion: unknown shell %q: use %s", args[0], choice)
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			const descriptions = true
			switch args[0] {
			case "bash":
				return c.Root().GenBashCompletionV2(std.Out, descriptions)
			case "zsh":
				return c.Root().GenZshCompletion(std.Out)
			case "fish":
				return c.Root().GenFishCompletion(std.Out, descriptions)
			default:
				return c.Root().GenPowerShellCompletionWithDesc(std.Out)
			}
		},
	}
}
