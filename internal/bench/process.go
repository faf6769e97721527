package bench

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// A process is a process ID, or 0 if it is unknown.
type process int

// clockTick is the unit of time in /proc, which is the same on every Linux.
const clockTick = time.Second / 100

// cpu returns the processor time that p has used in user and system mode; 0 if it is unknown.
func (p process) cpu() time.Duration {
	stat, err := p.read("stat")
	if err != nil {
		return 0
	}
	// The name before the parenthesis may contain spaces.
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:]))
	if len(fields) < 13 {
		return 0
	}
	used := time.Duration(0)
	for _, field := range fields[11:13] {
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0
		}
		used += time.Duration(ticks) * clockTick
	}
	return used
}

// rss returns the resident memory of p in bytes; 0 if it is unknown.
func (p process) rss() float64 {
	status, err := p.read("status")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(status)) {
		if value, ok := strings.CutPrefix(line, "VmRSS:"); ok {
			kb, err := strconv.ParseFloat(strings.TrimSpace(strings.TrimSuffix(strings.TrimSpace(value), "kB")), 64)
			if err != nil {
				return 0
			}
			return kb * 1024
		}
	}
	return 0
}

func (p process) read(file string) ([]byte, error) {
	if p == 0 {
		return nil, os.ErrNotExist
	}
	return os.ReadFile(fmt.Sprintf("/proc/%d/%s", p, file))
}
