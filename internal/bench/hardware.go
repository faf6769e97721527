package bench

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"
)

// Hardware describes the machine of a run.
type Hardware struct {
	OS         string  `json:"os"`
	Processors int     `json:"processors"`
	Model      string  `json:"model"`
	Memory     float64 `json:"memory_bytes"`
	FileSystem string  `json:"file_system"`
	Go         string  `json:"go"`
	// Load is the load average of the minute before the run.
	Load float64 `json:"load_before"`
	// Sync is the median time of a small append and a sync of a file, in microseconds.
	Sync float64 `json:"sync_us"`
}

// hardware describes this machine, with the disk that holds dir.
func hardware(dir string) (Hardware, error) {
	m := Hardware{
		OS: runtime.GOOS + "/" + runtime.GOARCH, Processors: runtime.NumCPU(), Go: runtime.Version(),
		Model: procField("/proc/cpuinfo", "model name"), FileSystem: fileSystem(dir),
	}
	if kb, err := strconv.ParseFloat(strings.TrimSuffix(procField("/proc/meminfo", "MemTotal"), " kB"), 64); err == nil {
		m.Memory = kb * 1024
	}
	if text, err := os.ReadFile("/proc/loadavg"); err == nil {
		if first, err := strconv.ParseFloat(strings.Fields(string(text) + " -")[0], 64); err == nil {
			m.Load = first
		}
	}
	latency, err := syncLatency(dir, 200)
	m.Sync = in(time.Microsecond, latency)
	return m, err
}

// String returns m on one line.
func (m Hardware) String() string {
	return fmt.Sprintf("%s, %d × %s, %s of memory, data on %s, a sync of a small append takes %s, %s; load before the run %s",
		m.OS, m.Processors, m.Model, format(m.Memory, "B"), m.FileSystem, format(m.Sync, "µs"), m.Go, digits(m.Load))
}

// procField returns the first value of that field in a file of /proc, or "unknown".
func procField(file, name string) string {
	text, err := os.ReadFile(file)
	if err != nil {
		return "unknown"
	}
	for line := range strings.Lines(string(text)) {
		if key, value, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(key) == name {
			return strings.TrimSpace(value)
		}
	}
	return "unknown"
}

// fileSystem returns the type and the device of the file system that holds dir, or "unknown".
func fileSystem(dir string) string {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "unknown"
	}
	f, err := os.Open("/proc/self/mounts")
	if err != nil {
		return "unknown"
	}
	defer f.Close()
	best, found := "", "unknown"
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 3 {
			continue
		}
		if at := fields[1]; len(at) >= len(best) && (at == "/" || dir == at || strings.HasPrefix(dir, at+"/")) {
			best, found = at, fields[2]+" ("+fields[0]+")"
		}
	}
	return found
}
