package main

import (
	"errors"
	"flag"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"carillon/internal/schedulercmd"
	"carillon/internal/sidecarcmd"
	"carillon/internal/terminal/terminaltest"
)

var update = flag.Bool("update", false, "write the golden files of help")

// tree returns all commands. Each parses only one command line.
func tree() *cobra.Command {
	std, _, _ := terminaltest.Streams()
	return newRoot(std, new(atomic.Pointer[func()]))
}

// commandsOf returns c and the commands below it.
func commandsOf(c *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{c}
	for _, sub := range c.Commands() {
		all = append(all, commandsOf(sub)...)
	}
	return all
}

// TestHelpIsGolden compares the help of each command with its file. Run it with -update to write the files.
func TestHelpIsGolden(t *testing.T) {
	const dir = "testdata/help"
	written := map[string]bool{}
	for _, c := range commandsOf(tree()) {
		path := strings.Fields(c.CommandPath())
		file := filepath.Join(dir, strings.Join(path, "-")+".txt")
		written[file] = true
		code, got := carry(t, append([]string{"help"}, path[1:]...)...)
		if c.Name() == "help" {
			code, got = carry(t, "help", "--help")
		}
		if code != 0 {
			t.Errorf("help of %s ends with %d: %s", c.CommandPath(), code, got)
		}
		if *update {
			must(t, os.WriteFile(file, []byte(got), 0o600))
			continue
		}
		want, err := os.ReadFile(file)
		if err != nil {
			t.Errorf("%v: run this test with -update", err)
			continue
		}
		if diff := cmp.Diff(string(want), got); diff != "" {
			t.Errorf("the help of %s has changed (-want +got); run this test with -update:\n%s", c.CommandPath(), diff)
		}
	}
	files, err := filepath.Glob(dir + "/*")
	must(t, err)
	for _, file := range files {
		if !written[file] {
			t.Errorf("%s is the help of no command: delete it", file)
		}
	}
}

// TestExamplesOfHelpParse parses the command lines in the help of each command: flags exist, and arguments
// fit. It runs none.
func TestExamplesOfHelpParse(t *testing.T) {
	roles := map[string]func() *flag.FlagSet{"scheduler": schedulercmd.Flags, "sidecar": sidecarcmd.Flags}
	for _, c := range commandsOf(tree()) {
		_, help := carry(t, append(strings.Fields(c.CommandPath())[1:], "--help")...)
		examples := examplesIn(help)
		if len(examples) == 0 {
			t.Errorf("the help of %s has no example", c.CommandPath())
		}
		for _, line := range examples {
			args := wordsOf(line)[1:]
			named, rest, err := tree().Find(args)
			if err != nil || named.Name() != c.Name() && c.HasParent() && !c.HasAvailableSubCommands() && c.Name() != "help" {
				t.Errorf("%q is an example of %s, and runs %s: %v", line, c.CommandPath(), named.CommandPath(), err)
				continue
			}
			for _, arg := range rest {
				if arg == "--" {
					break
				}
				if strings.HasPrefix(arg, "-") && !strings.HasPrefix(arg, "--") {
					t.Errorf("%q: %s is no long flag: examples teach those", line, arg)
				}
			}
			if flags := roles[named.Name()]; flags != nil {
				fs := flags()
				fs.SetOutput(io.Discard)
				if err := fs.Parse(rest); err != nil || fs.NArg() > 0 {
					t.Errorf("%q: %v, %q", line, err, fs.Args())
				}
				continue
			}
			if err := named.ParseFlags(rest); err != nil && !errors.Is(err, pflag.ErrHelp) {
				t.Errorf("%q: %v", line, err)
			}
			if err := named.ValidateArgs(named.Flags().Args()); err != nil {
				t.Errorf("%q: %v", line, err)
			}
		}
	}
}

// wordsOf splits a command line as a shell does, as far as examples need it: at spaces outside single quotes.
func wordsOf(line string) (words []string) {
	for i, part := range strings.Split(line, "'") {
		if i%2 == 0 {
			words = append(words, strings.Fields(part)...)
		} else {
			words = append(words, part)
		}
	}
	return words
}

// examplesIn returns the command lines of carillon in a help.
func examplesIn(help string) (lines []string) {
	for line := range strings.Lines(strings.ReplaceAll(help, "\\\n", "")) {
		line, indented := strings.CutPrefix(strings.TrimRight(line, "\n"), "  ")
		line = strings.TrimPrefix(line, "source <(")
		if !indented || !strings.HasPrefix(line, "carillon ") {
			continue
		}
		line, _, _ = strings.Cut(line, " | ")
		lines = append(lines, strings.TrimSuffix(line, ")"))
	}
	return lines
}
