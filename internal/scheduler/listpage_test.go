package scheduler_test

import (
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	schedulerv1 "github.com/dapr/dapr/pkg/proto/scheduler/v1"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	"carillon/internal/bulkv1"
	"carillon/internal/scheduler"
)

// pages returns the names on all pages of a list.
func (n *node) pages(t *testing.T, r *bulkv1.ListJobsPageRequest) (names []string) {
	t.Helper()
	for {
		page, err := bulkv1.NewBulkClient(n.conn).ListJobsPage(t.Context(), r)
		if err != nil {
			t.Fatal(err)
		}
		for _, j := range page.GetJobs() {
			if j.GetJob().GetDueTime() != "1h" || j.GetMetadata().GetNamespace() != r.GetMetadata().GetNamespace() {
				t.Errorf("the job %v is not as it was scheduled", j)
			}
			names = append(names, j.GetName())
		}
		if r.PageToken = page.GetNextPageToken(); r.GetPageToken() == "" {
			return names
		}
	}
}

func TestPagesNeverMixNamespacesAndApps(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := run(t)
		owners := map[string]*schedulerv1.JobMetadata{
			"a": jobMetadata("ns", "app"), "b": jobMetadata("ns", "ap"), "c": jobMetadata("ns2", "app"), "d": jobMetadata("ns", "app2"),
			"e": actorMetadata("ns", "app", "app", "1"), "f": actorMetadata("ns2", "app", "app", "1"), "g": actorMetadata("ns", "app", "app", "12"),
		}
		for name, m := range owners {
			for i := range 5 {
				n.schedule(t, fmt.Sprint(name, i), m, inAnHour())
			}
		}
		client := bulkv1.NewBulkClient(n.conn)
		for name, m := range owners {
			want := []string{name + "0", name + "1", name + "2", name + "3", name + "4"}
			for size := range uint32(7) {
				if got := n.pages(t, &bulkv1.ListJobsPageRequest{Metadata: m, PageSize: size}); !slices.Equal(got, want) {
					t.Errorf("pages of %d of %v have %q, want %q", size, m, got, want)
				}
			}
			if got := n.pages(t, &bulkv1.ListJobsPageRequest{Metadata: m, NamePrefix: name + "3"}); !slices.Equal(got, want[3:4]) {
				t.Errorf("with a prefix pages have %q, want %q", got, want[3:4])
			}
			page, err := client.ListJobsPage(t.Context(), &bulkv1.ListJobsPageRequest{Metadata: m, PageSize: 2})
			if err != nil {
				t.Fatal(err)
			}
			for other, m := range owners {
				if other == name {
					continue
				}
				page, err := client.ListJobsPage(t.Context(), &bulkv1.ListJobsPageRequest{Metadata: m, PageToken: page.GetNextPageToken()})
				if status.Code(err) != codes.InvalidArgument || !strings.Contains(err.Error(), "another app") {
					t.Errorf("a page token of %s for %s: %v, %v; want InvalidArgument", name, other, page, err)
				}
			}
		}
	})
}

func TestInvalidPageRequestsAreRefused(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := run(t)
		n.schedule(t, "a", jobMetadata("ns", "app"), inAnHour())
		n.schedule(t, "b", jobMetadata("ns", "app"), inAnHour())
		client := bulkv1.NewBulkClient(n.conn)
		page, err := client.ListJobsPage(t.Context(), &bulkv1.ListJobsPageRequest{Metadata: jobMetadata("ns", "app"), PageSize: 1})
		if err != nil {
			t.Fatal(err)
		}
		valid, err := base64.RawURLEncoding.DecodeString(page.GetNextPageToken())
		if err != nil {
			t.Fatal(err)
		}
		token := func(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
		for what, r := range map[string]*bulkv1.ListJobsPageRequest{
			"too large a page":          {Metadata: jobMetadata("ns", "app"), PageSize: 1001},
			"no namespace":              {Metadata: jobMetadata("", "app")},
			"no target":                 {},
			"a token of another prefix": {Metadata: jobMetadata("ns", "app"), PageToken: token(valid), NamePrefix: "b"},
			"another version":           {Metadata: jobMetadata("ns", "app"), PageToken: token(append([]byte{2}, valid[1:]...))},
			"half a token":              {Metadata: jobMetadata("ns", "app"), PageToken: token(valid[:5])},
			"no base64":                 {Metadata: jobMetadata("ns", "app"), PageToken: "="},
		} {
			if got, err := client.ListJobsPage(t.Context(), r); status.Code(err) != codes.InvalidArgument {
				t.Errorf("%s: %v, %v; want InvalidArgument", what, got, err)
			}
		}
	})
}

func TestPagesCountTowardsQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		n := runWith(t, func(c *scheduler.Config, _ *memory) { c.Quota.Rate = 2 })
		client := bulkv1.NewBulkClient(n.conn)
		var codesOf []codes.Code
		for range 3 {
			_, err := client.ListJobsPage(t.Context(), &bulkv1.ListJobsPageRequest{Metadata: jobMetadata("ns", "app")})
			codesOf = append(codesOf, status.Code(err))
		}
		if want := []codes.Code{codes.OK, codes.OK, codes.ResourceExhausted}; !slices.Equal(codesOf, want) {
			t.Errorf("with a quota of two calls a second pages are answered %v, want %v", codesOf, want)
		}
	})
}
