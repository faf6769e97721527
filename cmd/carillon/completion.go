package main

import (
	"context"
	"flag"
	"fmt"
	"strings"
)

// completion returns the command that prints the completion script of a shell for all commands.
func completion(all func() []subcommand) func(ctx context.Context, args []string, std stdio) error {
	return func(_ context.Context, args []string, std stdio) error { return printCompletion(all(), args, std) }
}

// printCompletion prints the script for the shell that args name.
func printCompletion(all []subcommand, args []string, std stdio) error {
	if len(args) == 1 && strings.HasPrefix(args[0], "-") {
		fmt.Fprint(std.Out, "Usage: carillon completion bash|zsh|fish\n\nTo enable it in this shell:\n\n"+
			"  source <(carillon completion bash)\n  carillon completion fish | source\n")
		return flag.ErrHelp
	}
	if len(args) != 1 {
		return usagef("completion: name a shell: bash, zsh or fish")
	}
	var names, cases, fish []string
	for _, c := range all {
		names = append(names, c.name)
		if c.flags == nil {
			continue
		}
		var flags []string
		c.flags().VisitAll(func(f *flag.Flag) {
			if f.Usage == hidden {
				return
			}
			flags = append(flags, "--"+f.Name)
			fish = append(fish, fmt.Sprintf("complete -c carillon -n '__fish_seen_subcommand_from %s' -l %s\n", c.name, f.Name))
		})
		cases = append(cases, fmt.Sprintf("\t%s:*) COMPREPLY=($(compgen -W %q -f -- \"${COMP_WORDS[COMP_CWORD]}\")) ;;\n",
			c.name, strings.Join(flags, " ")))
	}
	words := strings.Join(names, " ")

	const bash = `_carillon() {
	case "${COMP_WORDS[1]}:$COMP_CWORD" in
	*:1) COMPREPLY=($(compgen -W "%s" -- "${COMP_WORDS[COMP_CWORD]}")) ;;
%s	completion:2) COMPREPLY=($(compgen -W "bash zsh fish" -- "${COMP_WORDS[COMP_CWORD]}")) ;;
	esac
}
complete -F _carillon carillon
`
	switch args[0] {
	case "bash":
		fmt.Fprintf(std.Out, bash, words, strings.Join(cases, ""))
	case "zsh":
		fmt.Fprintf(std.Out, "autoload -U +X bashcompinit && bashcompinit\n"+bash, words, strings.Join(cases, ""))
	case "fish":
		fmt.Fprintf(std.Out, "complete -c carillon -f -n __fish_use_subcommand -a '%s'\n", words)
		fmt.Fprintf(std.Out, "complete -c carillon -f -n '__fish_seen_subcommand_from completion' -a 'bash zsh fish'\n")
		fmt.Fprint(std.Out, strings.Join(fish, ""))
	default:
		return usagef("completion: unknown shell %q: use bash, zsh or fish", args[0])
	}
	return nil
}
