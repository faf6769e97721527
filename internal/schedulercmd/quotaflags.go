package schedulercmd

import (
	"flag"
	"fmt"

	"carillon/internal/app"
	"carillon/internal/flagvalue"
)

// quotaOptions are the flags of the quotas of each namespace.
type quotaOptions struct {
	jobs     uint
	bytes    string
	rate     uint
	triggers uint
}

func (c *quotaOptions) flags(fs *flag.FlagSet) {
	fs.UintVar(&c.jobs, "quota-jobs", 0, "maximum `number` of stored jobs of each namespace; unlimited if 0")
	fs.StringVar(&c.bytes, "quota-bytes", "", "maximum `size` of the stored jobs of each namespace, such as 4Gi (default: unlimited)")
	fs.UintVar(&c.rate, "quota-rate", 0, "maximum `number` of calls per second of each namespace; unlimited if 0")
	fs.UintVar(&c.triggers, "quota-triggers", 0, "maximum `number` of triggers per second of each namespace; more triggers are delayed; unlimited if 0")
}

// apply sets the quotas in cfg.
func (c *quotaOptions) apply(cfg *app.Config) error {
	q := &cfg.Scheduler.Quota
	q.Jobs, q.Rate = int64(c.jobs), float64(c.rate)
	cfg.Engine.TriggerRate = float64(c.triggers)
	if c.bytes == "" {
		return nil
	}
	var err error
	if q.Bytes, err = flagvalue.Bytes(c.bytes); err != nil {
		return fmt.Errorf("--quota-bytes %s: %w", c.bytes, err)
	}
	return nil
}
