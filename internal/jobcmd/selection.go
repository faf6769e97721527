package jobcmd

import (
	"cmp"
	"strings"

	"github.com/spf13/cobra"

	"carillon/internal/exit"
	"carillon/internal/flagvalue"
)

// Values of the flag --kind.
const (
	kindJob      = "job"
	kindReminder = "reminder"
	kindAny      = "any"
)

const anyState = "any" // a value of the flag --state

// selection is the flags that select jobs.
type selection struct {
	serverOptions

	allNamespaces         bool
	kind, app             string
	actorType, actor      string
	state, prefix, filter string
	labels                []string
}

// addFlags adds the flags that fill s to c.
func (s *selection) addFlags(c *cobra.Command) {
	s.serverOptions.addFlags(c)
	fs := c.Flags()
	fs.BoolVarP(&s.allNamespaces, "all-namespaces", "A", false, "jobs of all namespaces")
	s.addApp(c, &s.app, "`app` of the jobs (default: all)")
	kinds := []string{kindJob, kindReminder, kindAny}
	fs.Var(flagvalue.NewChoice(&s.kind, kinds...), "kind", "`kind`: job (of an app), reminder (of an actor) or any")
	completeFlag(c, "kind", cobra.FixedCompletions(kinds, cobra.ShellCompDirectiveNoFileComp))
	fs.StringVar(&s.actorType, "actor-type", "", "`type` of the actors, with --kind reminder (default: all)")
	fs.StringVar(&s.actor, "actor", "", "`ID` of the actor, with --kind reminder (default: all)")
	states := []string{anyState, "scheduled", "running", "retrying", "overdue", "unknown"}
	fs.Var(flagvalue.NewChoice(&s.state, states...), "state",
		"`state`: scheduled, running, retrying, overdue, unknown (its node does not answer) or any")
	completeFlag(c, "state", cobra.FixedCompletions(states, cobra.ShellCompDirectiveNoFileComp))
	fs.StringVar(&s.prefix, "prefix", "", "`text` that names begin with")
	fs.StringSliceVarP(&s.labels, "label", "l", nil, "`label` of the jobs: KEY=VALUE, KEY!=VALUE, or KEY with any value (repeatable)")
	fs.StringVar(&s.filter, "filter", "", "`filter` of the management API, such as 'name:invoice AND state!=SCHEDULED'")
}

// check returns an error if flags contradict one another.
func (s *selection) check() error {
	switch {
	case s.allNamespaces && s.namespace != "":
		return exit.Usagef("--all-namespaces and --namespace %s contradict each other: give one", s.namespace)
	case s.kind != kindReminder && (s.actorType != "" || s.actor != ""):
		return exit.Usagef("--actor-type and --actor select reminders: add --kind reminder")
	}
	for _, l := range s.labels {
		if _, ok := hasLabel(l); !ok {
			return exit.Usagef("--label %q: give KEY=VALUE, KEY!=VALUE or KEY; a key has letters, digits, '-', '_', '.' and at most one '/'", l)
		}
	}
	return checkParts("--namespace", s.namespace, "--app", s.app, "--actor-type", s.actorType, "--actor", s.actor)
}

// parent returns the resource below which the jobs are.
func (s *selection) parent() string {
	namespace := s.namespaceOrDefault()
	if s.allNamespaces {
		namespace = anyPart
	}
	switch s.kind {
	case kindJob:
		return parentOfJobs(namespace, s.app)
	case kindReminder:
		return "namespaces/" + namespace + "/actorTypes/" + cmp.Or(s.actorType, anyPart) + "/actors/" + cmp.Or(s.actor, anyPart)
	default:
		return "namespaces/" + namespace
	}
}

// terms returns the filter that the flags give. The flags have been checked.
func (s *selection) terms() string {
	var all []string
	if s.app != "" && s.kind != kindJob {
		all = append(all, "app = "+quoted(s.app))
	}
	if s.prefix != "" {
		all = append(all, beginsWith("name", s.prefix))
	}
	if s.state != anyState {
		all = append(all, "state = "+strings.ToUpper(s.state))
	}
	for _, l := range s.labels {
		term, _ := hasLabel(l)
		all = append(all, term)
	}
	if s.filter != "" {
		all = append(all, s.filter)
	}
	return strings.Join(all, " AND ")
}
