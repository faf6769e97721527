package flagvalue

import "testing"

func TestSizeIsAKubernetesQuantity(t *testing.T) {
	for text, want := range map[string]int64{
		"4Mi": 4 << 20, "4Ki": 4 << 10, "1Gi": 1 << 30, "1Ti": 1 << 40, "0.5Ki": 512, "1.5k": 1500, "2M": 2e6, "1G": 1e9,
		"4194304": 4194304, "+7": 7, "4e6": 4e6, "4E3": 4000, "1500m": 2, "1": 1, "1n": 1, ".5Mi": 512 << 10,
		"0": 0, "-4Mi": 0, "4MB": 0, "4 Mi": 0, "Mi": 0, "": 0, "1E": 0, "1Ei": 0, "1e999999999": 0, "NaN": 0, "0x10": 0,
	} {
		if got, err := Bytes(text); got != want || (err == nil) != (want > 0) {
			t.Errorf("%q is %d bytes, %v; want %d", text, got, err, want)
		}
	}
}
