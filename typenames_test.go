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

// sharedTypeNames are the names of types, in lower case, that several packages declare with one meaning.
var sharedTypeNames = map[string]string{
	"attempt":     "one try at delivering a trigger: the next one of a job in machine, and one in flight in dispatch",
	"appid":       "what names an app or an actor type",
	"claim":       "the right to write one partition: what engine needs of it, and cluster's on a lease",
	"client":      "the calling side of a protocol",
	"config":      "the configuration of the main type of a package, or of a program",
	"deliverer":   "delivers triggers: engine's interface to dispatch, and the sidecar's to apps",
	"finding":     "a key of a store that is in quarantine, and how a command prints it",
	"healthcheck": "an alias in sidecar's configuration",
	"lease":       "a right that ends unless it is renewed: etcd's, and that of a session, both of tests",
	"listeners":   "an alias in sidecar's configuration",
	"listoptions": "the options of a command called list",
	"member":      "a member of an etcd cluster: a real one, and one of a test",
	"metrics":     "the metrics of a package",
	"metricsvec":  "the metrics of a package, before the labels of one app are known",
	"node":        "a scheduler process: one that runs, and what the others know of it",
	"readiness":   "whether a process is ready, for its health check",
	"semaphore":   "limits how many may go on at once",
	"sentry":      "Dapr's certificate authority: a client of it, and a fake for tests",
	"server":      "the serving side of a protocol",
	"session":     "a period in which a node is a member of the cluster: its interface, and that of a test",
	"settings":    "what the flags of a command say: of one that can watch, and of mutate",
	"shares":      "the parts of one resource that the parts of a process may use",
	"sidecar":     "Dapr's sidecar: ours, and one under test in a benchmark",
	"stats":       "what a component holds at one moment",
	"store":       "the contract of a store, and its implementations",
	"stream":      "a stream of triggers from a scheduler to a sidecar, at either end",
	"warning":     "about what is valid, but probably does not mean what its author intends",
	"watcher":     "follows changes on a server: of namespaces in Kubernetes, and of keys in the etcd of a test",
}

// TestTypesWithOneNameHaveOneMeaning fails if types have one name, in upper or lower case, unless
// sharedTypeNames says which meaning they share.
func TestTypesWithOneNameHaveOneMeaning(t *testing.T) {
	declared := typeNames(t)
	for _, name := range slices.Sorted(maps.Keys(declared)) {
		in := declared[name]
		if len(in) > 1 && sharedTypeNames[name] == "" {
			t.Errorf("type %s is declared as %s: rename all but one, or add their one meaning to sharedTypeNames",
				name, strings.Join(in, ", "))
		}
	}
	for name := range sharedTypeNames {
		if len(declared[name]) < 2 {
			t.Errorf("sharedTypeNames has %s, which is declared %d times: remove its line", name, len(declared[name]))
		}
	}
}

// typeNames returns, by name in lower case, the types that are neither generated nor of a test, each with
// the directory of its package. Files for several platforms may declare one type.
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
				full, folded := dir+"."+name, strings.ToLower(name)
				if !slices.Contains(declared[folded], full) {
					declared[folded] = append(declared[folded], full)
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
