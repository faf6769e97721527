package flagvalue

import "strings"

// FromEnvironment returns the environment variable that sets a flag, and its value: CARILLON_DATA_DIR sets
// --data-dir. It skips the variables that Kubernetes sets for a service that is called carillon.
func FromEnvironment(flag string, env func(string) (string, bool)) (name, value string, ok bool) {
	name = "CARILLON_" + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
	value, ok = env(name)
	return name, value, ok && !strings.HasPrefix(value, "tcp://")
}
