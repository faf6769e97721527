package carillon_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// sharedTypeNames are the names of types that several packages declare with one meaning.
var sharedTypeNames = map[string]string{
	"Claim":       "the right to write one partition: what engine needs of it, and cluster's on a lease",
	"Client":      "the calling side of a protocol",
	"Config":      "the configuration of the main type of a package",
	"Deliverer":   "delivers triggers: engine's interface to dispatch, and the sidecar's to apps",
	"HealthCheck": "an alias in sidecar's configuration",
	"Listeners":   "an alias in sidecar's configuration",
	"Member":      "a member of an etcd cluster: a real one, and one of a test",
	"MetricsVec":  "the metrics of a package, before the labels of one app are known",
	"Node":        "a scheduler process: one that runs, and what the others know of it",
	"Sentry":      "Dapr's certificate authority: a client of it, and a fake for tests",
	"Server":      "the serving side of a protocol",
	"Shares":      "the parts of one resource that the parts of a process may use",
	"Stats":       "what a component holds at one moment",
	"Store":       "the contract of a store, and its implementations",
	"Warning":     "about what is valid, but probably does not mean what its author intends",
	"client":      "the calling side of a protocol",
	"listOptions": "the options of a command called list",
	"metrics":     "the metrics of a package",
	"semaphore":   "limits how many may go on at once",
}

// TestTypesWithOneNameHaveOneMeaning fails if two packages declare types of one name, unless
// sharedTypeNames says which meaning they share.
func TestTypesWithOneNameHaveOneMeaning(t *testing.T) {
	declared := typeNames(t)
	for _, name := range slices.Sorted(maps.Keys(declared)) {
		in := declared[name]
		if len(in) > 1 && sharedTypeNames[name] == "" {
			t.Errorf("type %s is declared in %s: rename all but one, or add their one meaning to sharedTypeNames",
				name, strings.Join(in, ", "))
		}
	}
	for name := range sharedTypeNames {
		if len(declared[name]) < 2 {
			t.Errorf("sharedTypeNames has %s, which %d packages declare: remove its line", name, len(declared[name]))
		}
	}
}

// typeNames returns, by the name of each type that is neither generated nor of a test, the directories of
// the packages that declare it.
func typeNames(t *testing.T) map[string][]string {
	t.Helper()
	declared := map[string][]string{}
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (d.Name() == "testdata" || d.Name() == "examples" || path != "." && strings.HasPrefix(d.Name(), ".")):
			return filepath.SkipDir
		case d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil || ast.IsGenerated(file) {
			return err
		}
		dir := filepath.ToSlash(filepath.Dir(path))
		for _, decl := range file.Decls {
			types, ok := decl.(*ast.GenDecl)
			if !ok || types.Tok != token.TYPE {
				continue
			}
			for _, spec := range types.Specs {
				name := spec.(*ast.TypeSpec).Name.Name
				if !slices.Contains(declared[name], dir) {
					declared[name] = append(declared[name], dir)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return declared
}
