package bench

import (
	"bytes"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"
)

// A process is a number of one, or 0 if it is not known.
type process int

// tick is the unit of time in /proc, which is the same on every Linux.
const tick = time.Second / 100

// cpu returns the processor time that p has used, in user and in system mode, by the system's account. It is 0 where
// that is not to be had.
func (p process) cpu() time.Duration {
	stat, err := p.read("stat")
	if err != nil {
		return 0
	}
	fields := strings.Fields(string(stat[bytes.LastIndexByte(stat, ')')+1:])) // the name before it may hold anything
	if len(fields) < 13 {
		return 0
	}
	used := time.Duration(0)
	for _, field := range fields[11:13] {
		ticks, err := strconv.ParseInt(field, 10, 64)
		if err != nil {
			return 0
		}
		used += time.Duration(ticks) * tick
	}
	return used
}

// rss returns how many bytes of p are in memory. It is 0 where that is not to be had.
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
