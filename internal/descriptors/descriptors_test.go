package descriptors_test

import (
	"fmt"
	"testing"

	"carillon/internal/descriptors"
)

func TestProcessHasALimitOfDescriptors(t *testing.T) {
	if got := descriptors.Limit(); got < 16 {
		t.Errorf("Limit() = %d, want as many as the test has open, at least", got)
	}
}

func TestPartsGetSharesOfTheLimit(t *testing.T) {
	for _, c := range []struct {
		limit int
		parts descriptors.Parts
		apps  int
	}{
		{256, descriptors.Parts{Store: true}, 0},
		{256, descriptors.Parts{Sidecar: true}, 128},
		{256, descriptors.Parts{Store: true, Sidecar: true}, 64},
		{1, descriptors.Parts{Sidecar: true}, 1},
	} {
		if got := descriptors.Divide(c.limit, c.parts); got.Apps != c.apps || got.Limit != c.limit {
			t.Errorf("Divide(%d, %+v) = %+v, want %d connections to apps", c.limit, c.parts, got, c.apps)
		}
	}
}

func TestLogNamesTheLimit(t *testing.T) {
	for want, limit := range map[string]int{
		"[limit=256 app_connections=128]":             256,
		"[limit=unlimited app_connections=unlimited]": descriptors.Unlimited,
	} {
		if got := fmt.Sprint(descriptors.Divide(limit, descriptors.Parts{Sidecar: true}).Attrs()); got != want {
			t.Errorf("Attrs() = %s, want %s", got, want)
		}
	}
}
