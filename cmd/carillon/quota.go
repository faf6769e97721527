package main

import (
	"flag"
	"fmt"

	"carillon/internal/app"
)

// A quotaConfig is the flags of what each namespace may keep and ask for.
type quotaConfig struct {
	jobs     uint
	bytes    string
	rate     uint
	triggers uint
}

func (c *quotaConfig) flags(fs *flag.FlagSet) {
	fs.UintVar(&c.jobs, "quota-jobs", 0, "`number` of jobs that each namespace may have stored; no bound if 0")
	fs.StringVar(&c.bytes, "quota-bytes", "", "`size` that the jobs of each namespace may take, such as 4Gi (default: no bound)")
	fs.UintVar(&c.rate, "quota-rate", 0, "`number` of calls that each namespace may make in a second; no bound if 0")
	fs.UintVar(&c.triggers, "quota-triggers", 0, "`number` of triggers that the jobs of each namespace may have in a second; what is due beyond it waits; no bound if 0")
}

// apply has the node of cfg hold its namespaces to the quota.
func (c *quotaConfig) apply(cfg *app.Config) error {
	q := &cfg.Scheduler.Quota
	q.Jobs, q.Rate = int64(c.jobs), float64(c.rate)
	cfg.Engine.TriggerRate = float64(c.triggers)
	if c.bytes == "" {
		return nil
	}
	var err error
	if q.Bytes, err = bytesOf(c.bytes); err != nil {
		return fmt.Errorf("--quota-bytes %s: %w", c.bytes, err)
	}
	return nil
}
