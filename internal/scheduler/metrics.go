package scheduler

import (
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// metrics are those of scheduler specification §8 that the service itself knows, and ours of quotas. They are vectors even without labels,
// because what has never happened has no series.
type metrics struct {
	created, createdFailed, deleted *prometheus.CounterVec // by type
	bulkDeleted                     *prometheus.CounterVec
	errors                          *prometheus.CounterVec // by reason
	connected                       *prometheus.GaugeVec
	overQuota                       *prometheus.CounterVec // by quota
}

// newMetrics returns metrics that are registered with r, if there is one.
func newMetrics(r prometheus.Registerer) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		opts := prometheus.CounterOpts{Namespace: "dapr", Subsystem: "scheduler", Name: name, Help: help}
		return prometheus.NewCounterVec(opts, labels)
	}
	m := &metrics{
		created:       counter("jobs_created_total", "Jobs that were scheduled.", "type"),
		createdFailed: counter("jobs_created_failed_total", "Jobs that were refused, or could not be stored.", "type"),
		deleted:       counter("jobs_deleted_total", "Requests to delete a job that were carried out.", "type"),
		bulkDeleted:   counter("jobs_bulk_deleted_total", "Requests to delete many jobs that were carried out."),
		errors:        counter("sidecar_errors_total", "What went wrong with sidecars.", "reason"),
		connected: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "dapr", Subsystem: "scheduler", Name: "sidecars_connected", Help: "WatchJobs streams that are open.",
		}, nil),
		overQuota: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "carillon", Name: "quota_refused_total", Help: "Calls that a quota of their namespace refused.",
		}, []string{"quota"}),
	}
	if r != nil {
		r.MustRegister(m.created, m.createdFailed, m.deleted, m.bulkDeleted, m.errors, m.connected, m.overQuota)
	}
	return m
}

// refused returns err, which says what is wrong with who calls or with whom a request is about, and counts the former.
func (m *metrics) refused(err error) error {
	switch status.Code(err) {
	case codes.InvalidArgument, codes.Unauthenticated, codes.PermissionDenied:
		m.errors.WithLabelValues("auth_failed").Inc()
	default:
	}
	return err
}
