package carillon_test

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden file of messages")

const messages = "testdata/messages.txt"

// packagesWithMessages are the packages whose texts users see: they answer requests, read configuration, or
// fail the start.
var packagesWithMessages = []string{
	"cmd/carillon", "internal/command", "internal/connect", "internal/contextcmd", "internal/devcmd", "internal/exit", "internal/flagvalue", "internal/jobcmd", "internal/membercmd",
	"internal/nodecmd", "internal/output", "internal/roleflag", "internal/schedulercmd", "internal/sidecarcmd", "internal/statuscmd", "internal/storecmd",
	"internal/app", "internal/limits", "internal/crossorigin", "internal/cluster", "internal/dispatch", "internal/engine",
	"internal/engine/dueorder", "internal/engine/duescan", "internal/engine/machine", "internal/engine/quarantine", "internal/engine/record", "internal/engine/storemeta",
	"internal/explain",
	"internal/forward", "internal/identity", "internal/job", "internal/jsonvalue", "internal/kubernetes", "internal/memory", "internal/scheduler", "internal/encryption",
	"internal/sidecar", "internal/sidecar/apiserver", "internal/sidecar/appclient", "internal/sidecar/delivery",
	"internal/sidecar/schedulerclient", "internal/store", "internal/store/archive", "internal/store/datadir", "internal/store/etcdmember",
	"internal/store/etcdstore", "internal/store/pebblestore", "internal/store/diskspace", "internal/watch", "internal/when", "internal/wire",
}

// messageFuncs are the functions and methods whose arguments are a text for a user, with its kind.
var messageFuncs = map[string]string{
	// errors.New and its like.
	"New": "error", "Errorf": "error", "Error": "error", "usagef": "error", "Usagef": "error", "newScheduleError": "error", "refuse": "error",
	"NewAPIError": "refusal", "About": "help", "WithHelp": "help", "formatWarning": "help", "Malformed": "refusal",
	"Warn": "log", "WarnContext": "log", "ErrorContext": "log", "Log": "log", "LogAttrs": "log",
}

// messageTypes are the types whose fields are a text for a user.
var messageTypes = []string{"Error", "InvalidError", "HelpfulError", "UnreachableError", "FullError", "Warning"}

// messageFiles are the files of functions that return a text for a user.
var messageFiles = []string{
	"internal/job/key.go", "internal/sidecar/apiserver/jobchecker.go", "internal/sidecar/apiserver/readiness.go", "internal/sidecar/apiserver/routehelp.go",
	"internal/sidecar/apiserver/authenticator.go", "internal/when/fieldhelp.go", "internal/when/instanthelp.go", "internal/when/schedulehelp.go", "internal/when/warning.go",
	"internal/when/wordswarnings.go", "internal/when/zonehelp.go",
	"internal/explain/clockeffect.go", "internal/explain/clocknote.go", "internal/explain/daywarnings.go", "internal/explain/firstduewarnings.go",
	"internal/explain/frequencywarnings.go", "internal/explain/stepwarnings.go", "internal/explain/zonewarnings.go",
	"internal/jsonvalue/loss.go", "internal/wire/help.go", "internal/wire/helpcode.go", "internal/wire/malformed.go", "internal/wire/warnings.go",
}

// TestMessagesAreGolden compares all texts for users with the golden file, so that review shows each
// change. Run it with -update to write the file. Whole answers are in internal/app/testdata/refusals.txt.
func TestMessagesAreGolden(t *testing.T) {
	all := make(map[string]bool)
	for _, dir := range packagesWithMessages {
		files, err := filepath.Glob(filepath.Join(dir, "*.go"))
		if err != nil || len(files) == 0 {
			t.Fatalf("%s has no files of Go, %v: correct the list in this file", dir, err)
		}
		var parsed []*ast.File
		named := constants{}
		for _, name := range files {
			if strings.HasSuffix(name, "_test.go") {
				continue
			}
			f, err := parser.ParseFile(token.NewFileSet(), name, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			named.read(f)
			if slices.Contains(messageFiles, name) {
				for _, text := range named.advice(f) {
					all[fmt.Sprintf("%s\thelp\t%s", dir, text)] = true
				}
			}
			parsed = append(parsed, f)
		}
		for _, f := range parsed {
			ast.Inspect(f, func(n ast.Node) bool {
				if kind, text := named.message(n); text != "" {
					all[fmt.Sprintf("%s\t%s\t%s", dir, kind, text)] = true
				}
				return true
			})
		}
	}
	got := slices.Sorted(maps.Keys(all))
	if *update {
		if err := os.WriteFile(messages, []byte(strings.Join(got, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(messages)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(strings.TrimSpace(string(want)), "\n"), got); diff != "" {
		t.Errorf("texts have changed (-want +got); read the difference, and run this test with -update:\n%s", diff)
	}
}

// message returns what kind of text n is, and the text, or nothing if it is none. What is not a literal is shown as {}.
func (named constants) message(n ast.Node) (kind, text string) {
	switch n := n.(type) {
	case *ast.CallExpr:
		var name string
		switch f := n.Fun.(type) {
		case *ast.Ident:
			name = f.Name
		case *ast.SelectorExpr:
			name = f.Sel.Name
		}
		if kind = messageFuncs[name]; kind != "" {
			for _, a := range n.Args {
				text = join(text, named.literal(a))
			}
		}
	case *ast.CompositeLit:
		if name, ok := n.Type.(*ast.Ident); ok && slices.Contains(messageTypes, name.Name) {
			return "error", named.literals(n.Elts)
		}
		if name, ok := n.Type.(*ast.SelectorExpr); ok && slices.Contains(messageTypes, name.Sel.Name) {
			return "error", named.literals(n.Elts)
		}
	}
	return kind, text
}

func (named constants) literals(all []ast.Expr) (text string) {
	for _, e := range all {
		if pair, ok := e.(*ast.KeyValueExpr); ok {
			e = pair.Value
		}
		text = join(text, named.literal(e))
	}
	return text
}

func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + " | " + b
}

// literal returns the text of a literal, of a sum of some, or of a format.
func (named constants) literal(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.BasicLit:
		if text, err := strconv.Unquote(e.Value); err == nil && e.Kind == token.STRING {
			return strings.ReplaceAll(text, "\n", `\n`)
		}
	case *ast.Ident:
		return named[e.Name]
	case *ast.ParenExpr:
		return named.literal(e.X)
	case *ast.BinaryExpr:
		if left, right := named.literal(e.X), named.literal(e.Y); left != "" || right != "" {
			return orGap(left) + orGap(right)
		}
	case *ast.CallExpr:
		if f, ok := e.Fun.(*ast.SelectorExpr); ok && f.Sel.Name == "Sprintf" && len(e.Args) > 0 {
			return named.literal(e.Args[0])
		}
	}
	return ""
}

func orGap(text string) string {
	if text == "" {
		return "{}"
	}
	return text
}

// constants are the texts of a package's constants, of each whose text is a literal or a sum.
type constants map[string]string

// read adds those of f, of the package or of a function.
func (named constants) read(f *ast.File) {
	ast.Inspect(f, func(n ast.Node) bool {
		if d, ok := n.(*ast.GenDecl); ok && d.Tok == token.CONST {
			for _, s := range d.Specs {
				for i, value := range s.(*ast.ValueSpec).Values {
					if text := named.literal(value); text != "" {
						named[s.(*ast.ValueSpec).Names[i].Name] = text
					}
				}
			}
		}
		return true
	})
}

// advice returns the texts of f with several words: those of its constants, and of its functions.
func (named constants) advice(f *ast.File) (all []string) {
	ast.Inspect(f, func(n ast.Node) bool {
		if _, imported := n.(*ast.ImportSpec); imported {
			return false
		}
		if e, ok := n.(ast.Expr); ok {
			if _, isName := e.(*ast.Ident); isName {
				return false
			}
			if text := named.literal(e); text != "" && strings.Contains(strings.TrimSpace(text), " ") {
				all = append(all, text)
				return false
			}
		}
		return true
	})
	return all
}
