package etcdstore

import (
	"sync/atomic"

	"github.com/prometheus/client_golang/prometheus"

	"carillon/internal/job"
)

// capacity is what the store knows about free space in etcd.
type capacity struct {
	full atomic.Pointer[job.FullError] // nil while there is space
	wake chan struct{}                 // has an element if Run must check soon

	file, used, quota *prometheus.GaugeVec // nil without metrics
}

// exceeded records that etcd has refused a write for lack of space.
func (r *capacity) exceeded() {
	r.full.Store(&job.FullError{Reason: "etcd's quota is exceeded: delete jobs, or restart each node with a larger quota"})
	select {
	case r.wake <- struct{}{}:
	default: // a check is due already
	}
}

// register registers the metrics.
func (r *capacity) register(to prometheus.Registerer) {
	gauge := func(name, help string) *prometheus.GaugeVec {
		g := prometheus.NewGaugeVec(prometheus.GaugeOpts{Name: "carillon_etcd_" + name, Help: help}, []string{"member"})
		to.MustRegister(g)
		return g
	}
	r.file = gauge("file_bytes", "Size of the database file of an etcd member, in bytes.")
	r.used = gauge("used_bytes", "Bytes in use in the database of an etcd member.")
	r.quota = gauge("quota_bytes", "Quota of the database of an etcd member, in bytes; 0 if unknown.")
	full := prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Name: "carillon_store_full", Help: "1 if new jobs are refused because the store is full, else 0.",
	}, func() float64 {
		if r.full.Load() != nil {
			return 1
		}
		return 0
	})
	to.MustRegister(full)
}
