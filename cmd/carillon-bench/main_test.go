package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"carillon/internal/bench"
)

// carillon is the path of a carillon that was built for these tests.
var carillon string

// TestMain builds carillon, and lets this binary stand in for carillon-bench.
func TestMain(m *testing.M) {
	scripted := map[string]func(){"carillon-bench": main}
	if len(os.Args) > 1 && os.Args[1] == "child" {
		main()
		return
	}
	if scripted[filepath.Base(os.Args[0])] != nil { // as a script starts it
		testscript.Main(m, scripted)
	}
	dir, err := os.MkdirTemp("", "bench")
	if err != nil {
		panic(err)
	}
	carillon = filepath.Join(dir, "carillon")
	if out, err := exec.Command("go", "build", "-o", carillon, "carillon/cmd/carillon").CombinedOutput(); err != nil {
		panic(fmt.Sprintf("go build: %v\n%s", err, out))
	}
	testscript.Main(cleaned{m, dir}, scripted)
}

// cleaned removes a directory after the tests.
type cleaned struct {
	*testing.M
	dir string
}

func (c cleaned) Run() int {
	defer os.RemoveAll(c.dir)
	return c.M.Run()
}

func TestCommandLineIsCheckedFirst(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script", RequireUniqueNames: true,
		Setup: func(env *testscript.Env) error {
			env.Setenv("CARILLON", carillon)
			return nil
		},
	})
}

// TestBenchMeasuresEveryRow runs all measurements on real servers, with very small sizes.
func TestBenchMeasuresEveryRow(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	report, err := bench.Run(t.Context(), bench.Config{
		Sizes: bench.Sizes{
			Rounds: 1, Window: 100 * time.Millisecond, Calls: 5, Burst: 200, Recurring: 50, Repeats: 2, Idle: 200 * time.Millisecond,
			Few: 100, List: 200, Stored: 300, Pages: 20, Hung: 100, Beside: 100, Busy: 200, Overload: 100 * time.Millisecond, Rest: 10 * time.Millisecond,
			Linger: 50 * time.Millisecond, Patience: 30 * time.Second,
		},
		Callers: 8, Connections: 2, Payload: 64, Dir: dir, ProfileDir: t.TempDir(),
		Carillon: carillon, Child: []string{self, "child"}, Env: append(childEnv(os.Environ()), "GORACE=atexit_sleep_ms=0"),
	}, func(p bench.Progress) { t.Logf("%s %s", p.Elapsed.Round(time.Millisecond), progressLine(p)) })
	if err != nil {
		t.Fatal(err)
	}
	if faults := report.Faults(); len(faults) > 0 {
		t.Errorf("faults: %q", faults)
	}
	rows := map[int]bool{}
	for _, r := range report.Results {
		rows[r.Row] = true
		if r.Row != 5 && r.Value == 0 && r.Unit != "µs" { // processor time is in ticks, and may be none
			t.Errorf("row %d, %s: nothing was measured", r.Row, r.Measure)
		}
	}
	for _, row := range []int{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 16, 17, 18, 19, 20, 21} {
		if !rows[row] {
			t.Errorf("row %d is missing", row)
		}
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("it left %v behind (%v), want nothing", left, err)
	}
}
