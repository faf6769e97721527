package record

import (
	"reflect"
	"testing"
	"time"

	"carillon/internal/job"
)

func TestRequestRoundTrip(t *testing.T) {
	spec := job.Spec{Policy: job.DefaultPolicy(), AppID: "app", Data: &job.Data{Value: []byte("7")}}
	spec.Plan.First = time.Unix(1000, 0).UTC()
	labelled := spec
	labelled.Ext = &job.Ext{Labels: []job.Label{{Key: "team", Value: "billing"}}, Description: "d"}
	k := job.Key{Target: job.Target{Kind: job.App, Namespace: "ns", Name: "app"}, Name: "a"}
	for _, want := range []job.Request{{Key: k, Spec: spec}, {Key: k, Spec: labelled}, {Key: k, Remove: true}} {
		key, encoded := EncodeRequest(&want)
		got, err := DecodeRequest(key, encoded)
		if err != nil || got.Key != k || got.Remove != want.Remove || !got.Spec.Plan.First.Equal(want.Spec.Plan.First) ||
			!reflect.DeepEqual(got.Spec.Ext, want.Spec.Ext) {
			t.Errorf("%+v arrives as %+v, %v", want, got, err)
		}
		if _, err := DecodeRequest(key[1:], encoded); err == nil {
			t.Error("a key that is cut short is taken")
		}
	}
	if _, err := DecodeRequest(JobKey(k), []byte{0xff}); err == nil {
		t.Error("a spec in no format is taken")
	}
}
