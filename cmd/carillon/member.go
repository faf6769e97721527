package main

import (
	"context"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"carillon/internal/store/etcdmember"
)

const memberUsage = `Usage: carillon member list [flags]
       carillon member replace ID [flags]

Shows the schedulers that are one cluster with an etcd of their own, or makes room for a new one in the place of one whose
data is lost: the others forget the old one, and the new one is started with an empty folder. It asks the scheduler of
this machine.

  carillon member list
  carillon member replace dapr-scheduler-server-2
`

// A memberConfig is the flags of member.
type memberConfig struct {
	etcd, output string
}

func memberFlags() (*flag.FlagSet, *memberConfig) {
	c := &memberConfig{}
	fs := flag.NewFlagSet("member", flag.ContinueOnError)
	fs.StringVar(&c.etcd, "etcd", "http://localhost:2379", "`address` of this machine's etcd, as --etcd-client-listen-address and --etcd-client-port of its scheduler have it")
	choiceVar(fs, &c.output, "o", "what to print: table, json or yaml", "table", "json", "yaml")
	return fs, c
}

// member shows or changes who is a member of the cluster.
func member(ctx context.Context, args []string, std stdio) error {
	fs, c := memberFlags()
	var words []string
	for len(args) > 0 && !strings.HasPrefix(args[0], "-") {
		words, args = append(words, args[0]), args[1:]
	}
	if err := parse(fs, memberUsage, args, std); err != nil {
		return err
	}
	switch {
	case len(words) == 1 && words[0] == "list":
		all, err := etcdmember.Members(ctx, c.etcd)
		if err != nil {
			return err
		}
		return c.print(all, std.Out)
	case len(words) == 2 && words[0] == "replace":
		if err := etcdmember.Replace(ctx, c.etcd, words[1]); err != nil {
			return err
		}
		fmt.Fprintf(std.Out, "The cluster expects a new %s: start it with an empty folder.\n", words[1])
		return nil
	default:
		fmt.Fprint(std.Err, memberUsage)
		return usagef("member: say list, or replace and the id of one; 'carillon member --help' shows how")
	}
}

// print writes members in the form that was asked for.
func (c *memberConfig) print(all []etcdmember.Standing, out io.Writer) error {
	switch c.output {
	case "json":
		e := json.NewEncoder(out)
		e.SetIndent("", "  ")
		return e.Encode(all)
	case "yaml":
		for _, m := range all {
			fmt.Fprintf(out, "- name: %q\n  peers: [%s]\n  leads: %v\n  answer: %q\n", m.Name, quoted(m.Peers), m.Leads, m.Answer)
		}
		return nil
	default:
		t := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
		fmt.Fprintln(t, "NAME\tPEERS\tLEADS\tANSWERS")
		for _, m := range all {
			fmt.Fprintf(t, "%s\t%s\t%v\t%s\n", m.Name, strings.Join(m.Peers, ","), m.Leads, m.Answer)
		}
		return t.Flush()
	}
}

// quoted returns words for a list of YAML.
func quoted(words []string) string {
	all := make([]string, len(words))
	for i, w := range words {
		all[i] = fmt.Sprintf("%q", w)
	}
	return strings.Join(all, ", ")
}
