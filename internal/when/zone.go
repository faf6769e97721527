package when

import (
	"strings"
	"sync"
	"time"
	_ "time/tzdata" // hosts and images without zone data
)

// zones caches the zones of schedules, because loading one takes a hundred times
// as long as parsing a schedule.
//
//nolint:gochecknoglobals // A cache of immutable values: callers cannot observe it.
var zones zoneCache

// maxZones bounds the cache. There are some six hundred zones, but where the
// host has files for them, one zone has many spellings.
const maxZones = 1024

type zoneCache struct {
	mu     sync.RWMutex
	loaded map[string]*time.Location // at most maxZones; guarded by mu
}

// load returns the zone of that name, nil for UTC. Once the cache is full, a
// zone that is not in it is loaded each time.
func (c *zoneCache) load(name string) (*time.Location, error) {
	c.mu.RLock()
	zone, ok := c.loaded[name]
	c.mu.RUnlock()
	if ok {
		return zone, nil
	}
	zone, err := time.LoadLocation(name)
	if err != nil {
		return nil, err
	}
	if zone == time.UTC {
		zone = nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.loaded == nil {
		c.loaded = make(map[string]*time.Location)
	}
	if known, ok := c.loaded[name]; ok {
		return known, nil
	}
	if len(c.loaded) < maxZones {
		c.loaded[strings.Clone(name)] = zone
	}
	return zone, nil
}
