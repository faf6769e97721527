package job_test

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"

	"carillon/internal/job"
)

// The syntax of Kubernetes, as its documentation and its API server have it.
var (
	labelName = regexp.MustCompile(`^[A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?$`)
	dnsName   = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$`)
)

func isKubernetesName(s string) bool { return len(s) <= 63 && labelName.MatchString(s) }

func isKubernetesKey(key string) bool {
	prefix, name, found := strings.Cut(key, "/")
	if !found {
		return isKubernetesName(key)
	}
	return len(prefix) <= 253 && dnsName.MatchString(prefix) && isKubernetesName(name)
}

func labelTexts() []string {
	return []string{
		"", "a", "team", "A-b_c.9", "-a", "a-", ".a", "a.", "a b", "ü", "a\n", "a/b", "example.com/team", "Example.com/team", "/a", "a/", "a//b", "a/b/c",
		"a..b/c", "a-.b/c", "-a/c", "a_b/c", "1.2/3", strings.Repeat("x", 63), strings.Repeat("x", 64), strings.Repeat("x", 253) + "/a",
		strings.Repeat("x", 254) + "/a", strings.Repeat("x.", 126) + "x/a", "a/" + strings.Repeat("x", 63), "a/" + strings.Repeat("x", 64), "\xff",
	}
}

func TestLabelsHaveTheSyntaxOfKubernetes(t *testing.T) {
	for _, text := range labelTexts() {
		wantSyntaxOfKubernetes(t, text)
	}
}

func FuzzLabelsHaveTheSyntaxOfKubernetes(f *testing.F) {
	for _, text := range labelTexts() {
		f.Add(text)
	}
	f.Fuzz(wantSyntaxOfKubernetes)
}

// wantSyntaxOfKubernetes holds that text may be a key, and a value, if Kubernetes accepts it.
func wantSyntaxOfKubernetes(t *testing.T, text string) {
	if got, want := job.IsLabelKey(text), isKubernetesKey(text); got != want {
		t.Errorf("the key %q is accepted: %v, and by Kubernetes: %v", text, got, want)
	}
	for what, labels := range map[string]map[string]string{"key": {text: "x"}, "value": {"x": text}} {
		want := what == "key" && isKubernetesKey(text) || what == "value" && (text == "" || isKubernetesName(text))
		e, err := job.NewExt(labels, "")
		if (err == nil) != want || (e == nil) == want {
			t.Errorf("the %s %q: %v, %v; Kubernetes accepts it: %v", what, text, e, err, want)
		}
		if invalid, ok := errors.AsType[*job.InvalidError](err); err != nil && (!ok || invalid.Field != "ext.labels" || invalid.Help == "") {
			t.Errorf("the %s %q: %#v names no field, or no rule", what, text, err)
		}
	}
}

func TestExtIsBounded(t *testing.T) {
	labels := func(n, bytes int) map[string]string { // n of them, each of so many bytes
		all := map[string]string{}
		for i := range n {
			key := fmt.Sprintf("k%02d", i)
			if rest := bytes - 63 - len(key) - 1; rest > 0 {
				key = strings.Repeat("x", rest) + "/" + key
			}
			all[key] = strings.Repeat("x", bytes-len(key))
		}
		return all
	}
	for _, c := range []struct {
		what        string
		labels      map[string]string
		description string
		want        string // the beginning of the error
	}{
		{"nothing", nil, "", ""},
		{"as many labels as possible", labels(job.MaxLabels, 10), "", ""},
		{"one more", labels(job.MaxLabels+1, 10), "", "ext.labels: there are 33 labels: give 32 at most"},
		{"as many bytes as possible", labels(16, job.MaxLabelBytes/16), "", ""},
		{"too many bytes", labels(17, job.MaxLabelBytes/16), "", "ext.labels: the labels have 2176 bytes: keys and values may have 2048 bytes in all"},
		{"the longest description", nil, strings.Repeat("x", job.MaxDescription), ""},
		{"a longer one", nil, strings.Repeat("x", job.MaxDescription+1), "ext.description: it has 1025 bytes: give 1024 at most"},
		{"no text", nil, "\xff", "ext.description: it is not UTF-8"},
		{"a key", map[string]string{"a b": "c"}, "", `ext.labels: the key "a b" is malformed: a key has at most 63`},
		{"a value", map[string]string{"a": "b c"}, "", `ext.labels: the value "b c" of "a" is malformed: a value is empty, or has at most 63`},
	} {
		e, err := job.NewExt(c.labels, c.description)
		switch {
		case c.want != "":
			if err == nil || !strings.HasPrefix(err.Error(), c.want) || e != nil {
				t.Errorf("%s: %v, %v, want %q", c.what, e, err, c.want)
			}
		case err != nil || (e == nil) != (len(c.labels) == 0 && c.description == ""):
			t.Errorf("%s: %v, %v, want no error", c.what, e, err)
		}
	}
}

func TestLabelsAreSortedAndFound(t *testing.T) {
	want := map[string]string{"b": "1", "a": "2", "c/d": "", "c-d": "3"}
	e, err := job.NewExt(want, "")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.IsSortedFunc(e.Labels, func(a, b job.Label) int { return strings.Compare(a.Key, b.Key) }) {
		t.Errorf("the labels are not sorted: %v", e.Labels)
	}
	if got := e.LabelMap(); len(got) != len(want) {
		t.Errorf("LabelMap = %v, want %v", got, want)
	}
	for k, v := range want {
		if got, ok := e.Label(k); !ok || got != v || e.LabelMap()[k] != v {
			t.Errorf("the label %q is %q, %v, want %q", k, got, ok, v)
		}
	}
	for _, k := range []string{"", "d", "B"} {
		if v, ok := e.Label(k); ok {
			t.Errorf("there is a label %q, %q", k, v)
		}
	}
	if v, ok := (*job.Ext)(nil).Label("a"); ok || (*job.Ext)(nil).LabelMap() != nil {
		t.Errorf("no ext has the label %q", v)
	}
}
