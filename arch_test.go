package carillon_test

import (
	"encoding/json"
	"errors"
	"go/parser"
	"go/token"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const module = "carillon"

// layers are the packages from the bottom up. A package may import only from layers below its own. Patterns
// are those of path.Match; a package that matches none fails.
var layers = [][]string{
	{"internal/when", "internal/timerfd", "internal/memnet", "internal/logtest", "internal/lograte", "internal/identity", "internal/limits", "internal/kubernetes", "internal/encryption", "internal/fair", "internal/memory", "internal/profile", "internal/descriptors", "internal/crossorigin", "internal/truncate", "internal/jsonvalue", "internal/sidecar/daprlog", "internal/sidecar/daprmetrics", "internal/pause", "internal/contain", "internal/pagetoken", "internal/terminal", "internal/exit", "internal/suggest", "internal/flagvalue"},
	{"internal/job", "internal/identity/identitytest", "internal/explain", "internal/terminal/terminaltest", "internal/roleflag", "internal/output", "internal/connect", "internal/watch"},
	{"internal/command", "internal/store", "internal/store/diskspace", "internal/store/datadir"},
	{"internal/engine/record", "internal/store/archive", "internal/store/pebblestore", "internal/store/etcdstore", "internal/store/etcdmember", "internal/store/storetest"},
	{"internal/engine/dueorder", "internal/engine/duescan", "internal/engine/machine", "internal/engine/quarantine", "internal/engine/storemeta"},
	{"internal/engine", "internal/dispatch", "internal/cluster", "internal/wire", "internal/bulkv1", "internal/peerv1", "internal/managementv1", "internal/store/etcdmember/etcdtest"},
	{"internal/apiclient", "internal/scheduler", "internal/forward", "internal/management", "internal/cluster/clustertest", "internal/sidecar/appclient", "internal/sidecar/schedulerclient"},
	{"internal/sidecar/apiserver", "internal/sidecar/delivery"},
	{"internal/sidecar"},
	{"internal/app", "internal/bench"},
	{"internal/nodecmd"},
	{"internal/schedulercmd", "internal/sidecarcmd", "internal/devcmd", "internal/storecmd", "internal/membercmd", "internal/contextcmd", "internal/jobcmd", "internal/appcmd", "internal/statuscmd"},
	{"cmd/carillon", "cmd/carillon-bench", "internal/simulate", "test/mutate", "examples/*"},
}

// confined are modules that only some packages may import. Tests may import them anywhere: they need Pebble's
// file systems in memory, and Dapr's client of a server.
var confined = map[string][]string{
	"github.com/cockroachdb/pebble": {"internal/store/pebblestore", "internal/bench"},
	"go.etcd.io/etcd":               {"internal/store/etcdstore", "internal/store/etcdmember", "internal/store/etcdmember/etcdtest", "internal/cluster"},
	"github.com/dapr/dapr":          {"internal/wire", "internal/bulkv1", "internal/scheduler", "internal/sidecar/apiserver", "internal/sidecar/appclient", "internal/sidecar/delivery", "internal/sidecar/schedulerclient", "internal/bench", "internal/identity", "internal/identity/identitytest"},
	"github.com/spiffe/go-spiffe":   {"internal/identity"},
	"sigs.k8s.io/yaml":              {"internal/kubernetes", "internal/output", "internal/connect"},

	"github.com/go-json-experiment/json":    {"internal/jsonvalue"},
	"github.com/KimMachineGun/automemlimit": {"internal/memory", "internal/profile"},
}

// A pkg is the output of go list for a package of this module.
type pkg struct {
	ImportPath, Dir string
	Imports         []string
	GoFiles         []string
}

// name returns the path of p within the module.
func (p pkg) name() string { return strings.TrimPrefix(p.ImportPath, module+"/") }

// layer returns the number of the layer that holds the package of this name, from 1, or 0 if none does.
func layer(name string) int {
	for i, patterns := range layers {
		for _, pattern := range patterns {
			if ok, err := path.Match(pattern, name); ok && err == nil {
				return i + 1
			}
		}
	}
	return 0
}

func packages(t *testing.T) []pkg {
	t.Helper()
	list := exec.Command("go", "list", "-json=ImportPath,Dir,Imports,GoFiles", "./...")
	list.Stderr = t.Output()
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var all []pkg
	dec := json.NewDecoder(strings.NewReader(string(out)))
	for {
		var p pkg
		if err := dec.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		if len(p.GoFiles) > 0 { // the rest are tests only
			all = append(all, p)
		}
	}
}

func TestPackagesImportOnlyFromBelow(t *testing.T) {
	for _, p := range packages(t) {
		own := layer(p.name())
		if own == 0 {
			t.Errorf("%s is in no layer: add it to docs/architecture.md and to layers in this file", p.name())
			continue
		}
		for _, imp := range p.Imports {
			if q, ok := strings.CutPrefix(imp, module+"/"); ok && layer(q) >= own {
				t.Errorf("%s (layer %d) imports %s (layer %d): let the layer above connect them with a function", p.name(), own, q, layer(q))
			}
		}
	}
}

func TestModulesAreConfined(t *testing.T) {
	for _, p := range packages(t) {
		for _, imp := range p.Imports {
			for mod, only := range confined {
				if (imp == mod || strings.HasPrefix(imp, mod+"/")) && !slices.Contains(only, p.name()) {
					t.Errorf("%s imports %s, which is for %v only", p.name(), imp, only)
				}
			}
		}
	}
}

func TestEveryPackageHasAComment(t *testing.T) {
	for _, p := range packages(t) {
		documented := slices.ContainsFunc(p.GoFiles, func(name string) bool {
			f, err := parser.ParseFile(token.NewFileSet(), filepath.Join(p.Dir, name), nil, parser.PackageClauseOnly|parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			return f.Doc != nil
		})
		if !documented {
			t.Errorf("%s has no package comment: say what it is and what it promises", p.name())
		}
	}
}

func TestEveryDependencyHasAReason(t *testing.T) {
	const doc = "docs/dependencies.md"
	reasons, err := os.ReadFile(doc)
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files(t, ".", "go.mod") {
		required := requirements(t, file)
		if len(required) == 0 {
			t.Errorf("%s requires nothing: this test reads it wrongly", file)
		}
		for _, name := range required {
			if !strings.Contains(string(reasons), "`"+name+"`") {
				t.Errorf("%s is required by %s and has no line in %s: give its reason there, or do without it", name, file, doc)
			}
		}
	}
}

// requirements returns the modules that a go.mod requires directly.
func requirements(t *testing.T, file string) (modules []string) {
	t.Helper()
	out, err := exec.Command("go", "mod", "edit", "-json", file).Output()
	if err != nil {
		t.Fatalf("go mod edit: %v", err)
	}
	var mod struct {
		Require []struct {
			Path     string
			Indirect bool
		}
	}
	if err := json.Unmarshal(out, &mod); err != nil {
		t.Fatal(err)
	}
	for _, r := range mod.Require {
		if !r.Indirect {
			modules = append(modules, r.Path)
		}
	}
	return modules
}
