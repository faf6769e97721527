package scheduler

import (
	"github.com/prometheus/client_golang/prometheus"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
)

// metrics are the metrics of scheduler specification §8 that concern calls, and our metric of
// quotas. All are vectors, even without labels, because a vector has no series before its first
// event.
type metrics struct {
	created, createdFailed, deleted *prometheus.CounterVec // by type
	bulkDeleted                     *prometheus.CounterVec
	errors                          *prometheus.CounterVec // by reason
	connected                       *prometheus.GaugeVec
	overQuota                       *prometheus.CounterVec // by quota
}

// newMetrics returns metrics, and registers them with r if that is not nil.
func newMetrics(r prometheus.Registerer) *metrics {
	counter := func(name, help string, labels ...string) *prometheus.CounterVec {
		opts := prometheus.CounterOpts{Namespace: "dapr", Subsystem: "scheduler", Name: name, Help: help}
		return prometheus.NewCounterVec(opts, labels)
	}
	m := &metrics{
		created:       counter("jobs_created_total", "Jobs scheduled.", "type"),
		createdFailed: counter("jobs_created_failed_total", "Jobs that were invalid or could not be stored.", "type"),
		deleted:       counter("jobs_deleted_total", "Requests to delete one job that succeeded.", "type"),
		bulkDeleted:   counter("jobs_bulk_deleted_total", "Requests to delete jobs by metadata or by name prefix that succeeded."),
		errors:        counter("sidecar_errors_total", "Refused callers and broken WatchJobs streams, by reason.", "reason"),
		connected: prometheus.NewGaugeVec(prometheus.GaugeOpts{
			Namespace: "dapr", Subsystem: "scheduler", Name: "sidecars_connected", Help: "Open WatchJobs streams.",
		}, nil),
		overQuota: prometheus.NewCounterVec(prometheus.CounterOpts{
			Namespace: "carillon", Name: "quota_refused_total", Help: "Calls refused because their namespace has reached a quota.",
		}, []string{"quota"}),
	}
	if r != nil {
		r.MustRegister(m.created, m.createdFailed, m.deleted, m.bulkDeleted, m.errors, m.connected, m.overQuota)
	}
	return m
}

// refused counts err if its code blames the caller or the request, and returns it.
func (m *metrics) refused(err error) error {
	switch status.Code(err) {
	case codes.InvalidArgument, codes.Unauthenticated, codes.PermissionDenied:
		m.errors.WithLabelValues("auth_failed").Inc()
	default:
	}
	return err
}
