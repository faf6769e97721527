package bench

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
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
	// Sync is the median time to sync a small append to a file, in microseconds.
	Sync float64 `json:"sync_us"`
}

// machine describes this one, with the disk that holds dir.
func machine(dir string) (Hardware, error) {
	m := Hardware{
		OS: runtime.GOOS + "/" + runtime.GOARCH, Processors: runtime.NumCPU(), Go: runtime.Version(),
		Model: field("/proc/cpuinfo", "model name"), FileSystem: fileSystem(dir),
	}
	if kb, err := strconv.ParseFloat(strings.TrimSuffix(field("/proc/meminfo", "MemTotal"), " kB"), 64); err == nil {
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

// String returns m in a line.
func (m Hardware) String() string {
	return fmt.Sprintf("%s, %d × %s, %s of memory, data on %s, a sync of a small append takes %s, %s; load before the run %s",
		m.OS, m.Processors, m.Model, format(m.Memory, "B"), m.FileSystem, format(m.Sync, "µs"), m.Go, digits(m.Load))
}

// field returns the first value of that name in a file of /proc, or "unknown".
func field(file, name string) string {
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

// fileSystem returns the kind of the file system that holds dir, and its device, or "unknown".
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

// syncBytes is how much is appended before a sync.
const syncBytes = 256

// syncLatency returns the median time that it takes to append a little to a file in dir and to sync it.
func syncLatency(dir string, times int) (time.Duration, error) {
	f, err := os.CreateTemp(dir, "sync-")
	if err != nil {
		return 0, fmt.Errorf("measure the disk: %w", err)
	}
	defer func() { _ = os.Remove(f.Name()) }()
	defer f.Close()
	took := make([]time.Duration, 0, times)
	some := make([]byte, syncBytes)
	for range times {
		begin := time.Now()
		if _, err := f.Write(some); err != nil {
			return 0, fmt.Errorf("measure the disk: %w", err)
		}
		if err := f.Sync(); err != nil {
			return 0, fmt.Errorf("measure the disk: %w", err)
		}
		took = append(took, time.Since(begin))
	}
	slices.Sort(took)
	return percentile(took, 0.5), nil
}
