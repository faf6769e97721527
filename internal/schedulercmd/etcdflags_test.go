package schedulercmd

import (
	"testing"

	"carillon/internal/flagvalue"
)

func TestMemberWithANameListensEverywhere(t *testing.T) {
	for peer, want := range map[string]string{
		"http://10.0.0.1:2380": "http://10.0.0.1:2380", "https://a.sched:2380": "https://0.0.0.0:2380", "http://localhost:2380": "http://localhost:2380",
	} {
		members := etcdOptions{cluster: flagvalue.Strings{"a=" + peer}}
		all, err := members.members()
		if err != nil {
			t.Fatal(err)
		}
		if got := listenFor(all["a"]); got != want {
			t.Errorf("a member that others find at %s listens at %s, want %s", peer, got, want)
		}
	}
}
