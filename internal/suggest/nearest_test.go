package suggest

import "testing"

func TestNearestForgivesTypingErrors(t *testing.T) {
	commands := []string{"scheduler", "sidecar", "backup", "keys"}
	for word, want := range map[string]string{
		"schedular": "scheduler", "sideacr": "sidecar", "backups": "backup", "kyes": "keys", "": "", "nonsense": "", "restore": "",
	} {
		if near, ok := Nearest(word, commands); near != want || ok != (want != "") {
			t.Errorf("Nearest(%q) = %q, %v, want %q", word, near, ok, want)
		}
	}
}
