package carillon_test

import (
	"fmt"
	"go/ast"
	"go/build"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// layeredPackages are the packages whose files refer to one another in one direction only.
var layeredPackages = []string{
	"internal/app", "internal/bench", "internal/cluster", "internal/command", "internal/connect",
	"internal/contextcmd", "internal/devcmd", "internal/dispatch", "internal/encryption",
	"internal/engine",
	"internal/engine/dueorder", "internal/engine/machine", "internal/engine/quarantine", "internal/engine/record",
	"internal/engine/storemeta", "internal/explain", "internal/forward", "internal/identity",
	"internal/job", "internal/jobcmd", "internal/kubernetes", "internal/management",
	"internal/membercmd", "internal/memory", "internal/nodecmd", "internal/output", "internal/roleflag", "internal/scheduler",
	"internal/schedulercmd", "internal/sidecar", "internal/sidecar/apiserver",
	"internal/sidecar/appclient", "internal/sidecar/daprmetrics", "internal/sidecar/delivery",
	"internal/sidecar/schedulerclient", "internal/sidecarcmd", "internal/store/etcdstore",
	"internal/store/pebblestore", "internal/store/storetest", "internal/storecmd", "internal/wire",
	"test/mutate",
}

// TestFilesReferInOneDirection fails if two files of a layered package refer to one another,
// directly or through other files.
func TestFilesReferInOneDirection(t *testing.T) {
	load := exportData(t)
	for _, dir := range layeredPackages {
		refs := fileReferences(t, dir, load)
		if len(refs) == 0 {
			t.Errorf("%s: no file refers to another: this test reads them wrongly", dir)
		}
		for _, file := range slices.Sorted(maps.Keys(refs)) {
			for _, other := range slices.Sorted(maps.Keys(refs[file])) {
				if path := pathBetween(refs, other, file, map[string]bool{}); path != nil {
					t.Errorf("%s: %s uses %s of %s, from where references lead back: %s: move what is used into a file below both",
						dir, file, refs[file][other], other, strings.Join(path, " → "))
				}
			}
		}
	}
}

// exportData returns a function that opens the compiled form of an imported package.
func exportData(t *testing.T) importer.Lookup {
	t.Helper()
	args := []string{"list", "-export", "-deps", "-f", "{{.ImportPath}} {{.Export}}"}
	for _, dir := range layeredPackages {
		args = append(args, "./"+dir)
	}
	list := exec.Command("go", args...)
	list.Stderr = t.Output()
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	files := map[string]string{}
	for line := range strings.Lines(string(out)) {
		name, file, _ := strings.Cut(strings.TrimSpace(line), " ")
		files[name] = file
	}
	return func(name string) (io.ReadCloser, error) { return os.Open(files[name]) }
}

// fileReferences returns which files of a package each file refers to, with a name that it uses.
func fileReferences(t *testing.T, dir string, load importer.Lookup) map[string]map[string]string {
	t.Helper()
	set := token.NewFileSet()
	names, err := filepath.Glob(filepath.Join(dir, "*.go"))
	if err != nil {
		t.Fatal(err)
	}
	var files []*ast.File
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		if built, err := build.Default.MatchFile(filepath.Split(name)); err != nil {
			t.Fatal(err)
		} else if !built {
			continue
		}
		f, err := parser.ParseFile(set, name, nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}}
	config := types.Config{Importer: importer.ForCompiler(set, "gc", load)}
	own, err := config.Check(dir, set, files, info)
	if err != nil {
		t.Fatal(fmt.Errorf("check %s: %w", dir, err))
	}
	fileOf := func(p token.Pos) string { return filepath.Base(set.Position(p).Filename) }
	refs := map[string]map[string]string{}
	for id, used := range info.Uses {
		from, to := fileOf(id.Pos()), fileOf(used.Pos())
		if used.Pkg() != own || from == to {
			continue
		}
		if refs[from] == nil {
			refs[from] = map[string]string{}
		}
		refs[from][to] = used.Name()
	}
	return refs
}

// pathBetween returns the files through which references lead from one file to another, or nil.
func pathBetween(refs map[string]map[string]string, from, to string, seen map[string]bool) []string {
	if from == to {
		return []string{to}
	}
	seen[from] = true
	for _, next := range slices.Sorted(maps.Keys(refs[from])) {
		if !seen[next] {
			if rest := pathBetween(refs, next, to, seen); rest != nil {
				return append([]string{from}, rest...)
			}
		}
	}
	return nil
}
