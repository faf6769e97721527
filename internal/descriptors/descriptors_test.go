package descriptors_test

import (
	"fmt"
	"testing"

	"carillon/internal/descriptors"
)

func TestProcessHasADescriptorLimit(t *testing.T) {
	if got := descriptors.Limit(); got < 16 {
		t.Errorf("Limit() = %d, want as many as the test has open, at least", got)
	}
}

func TestPartsGetSharesOfLimit(t *testing.T) {
	for _, c := range []struct {
		limit                int
		parts                descriptors.Parts
		apps, files, clients int
	}{
		{256, descriptors.Parts{Store: true}, 0, 74, 134},
		{256, descriptors.Parts{Sidecar: true}, 128, 0, 80},
		{256, descriptors.Parts{Store: true, Sidecar: true}, 64, 74, 70},
		{1024, descriptors.Parts{Store: true}, 0, 256, 720},
		{1 << 20, descriptors.Parts{Store: true, Sidecar: true}, 1 << 18, 1000, 1<<20 - 1<<18 - 1048},
		{1, descriptors.Parts{Sidecar: true}, 1, 0, 8},
	} {
		want := descriptors.Shares{Limit: c.limit, Apps: c.apps, Files: c.files, Clients: c.clients}
		if got := descriptors.Divide(c.limit, c.parts); got != want {
			t.Errorf("Divide(%d, %+v) = %+v, want %+v", c.limit, c.parts, got, want)
		}
	}
}

func TestLogNamesLimit(t *testing.T) {
	for want, limit := range map[string]int{
		"[limit=256 app_connections=128 client_connections=80]":                    256,
		"[limit=unlimited app_connections=unlimited client_connections=unlimited]": descriptors.Unlimited,
	} {
		if got := fmt.Sprint(descriptors.Divide(limit, descriptors.Parts{Sidecar: true}).Attrs()); got != want {
			t.Errorf("Attrs() = %s, want %s", got, want)
		}
	}
}
