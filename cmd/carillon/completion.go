package main

import (
	"context"
	"flag"
	"fmt"
	"strings"
)

// completion prints a script that completes commands and flags in the shell that args name.
func completion(_ context.Context, args []string, std stdio) error {
	if len(args) == 1 && strings.HasPrefix(args[0], "-") {
		fmt.Fprint(std.Out, "Usage: carillon completion bash|zsh|fish\n\nTo have it in this shell:\n\n"+
			"  source <(carillon completion bash)\n  carillon completion fish | source\n")
		return flag.ErrHelp
	}
	if len(args) != 1 {
		return usagef("completion: name one shell: bash, zsh or fish")
	}
	var names []string
	for _, c := range commands() {
		names = append(names, c.name)
	}
	fs, _ := devFlags()
	var flags []string
	fs.VisitAll(func(f *flag.Flag) { flags = append(flags, "--"+f.Name) })
	words, devs := strings.Join(names, " "), strings.Join(flags, " ")

	const bash = `_carillon() {
	case "${COMP_WORDS[1]}:$COMP_CWORD" in
	*:1) COMPREPLY=($(compgen -W "%[1]s" -- "${COMP_WORDS[COMP_CWORD]}")) ;;
	dev:*) COMPREPLY=($(compgen -W "%[2]s" -f -- "${COMP_WORDS[COMP_CWORD]}")) ;;
	completion:2) COMPREPLY=($(compgen -W "bash zsh fish" -- "${COMP_WORDS[COMP_CWORD]}")) ;;
	esac
}
complete -F _carillon carillon
`
	switch args[0] {
	case "bash":
		fmt.Fprintf(std.Out, bash, words, devs)
	case "zsh":
		fmt.Fprintf(std.Out, "autoload -U +X bashcompinit && bashcompinit\n"+bash, words, devs)
	case "fish":
		fmt.Fprintf(std.Out, "complete -c carillon -f -n __fish_use_subcommand -a '%s'\n", words)
		fmt.Fprintf(std.Out, "complete -c carillon -f -n '__fish_seen_subcommand_from completion' -a 'bash zsh fish'\n")
		for _, f := range flags {
			fmt.Fprintf(std.Out, "complete -c carillon -n '__fish_seen_subcommand_from dev' -l %s\n", strings.TrimPrefix(f, "--"))
		}
	default:
		return usagef("completion: %q is none of bash, zsh and fish", args[0])
	}
	return nil
}
