package main

import (
	"context"
	"flag"
	"fmt"
	"strings"

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
	etcd    string
	members listing[etcdmember.Standing]
}

func memberFlags() (*flag.FlagSet, *memberConfig) {
	c := &memberConfig{members: listing[etcdmember.Standing]{
		head: "NAME\tPEERS\tLEADS\tANSWERS",
		row: func(m etcdmember.Standing) string {
			return fmt.Sprintf("%s\t%s\t%v\t%s", m.Name, strings.Join(m.Peers, ","), m.Leads, m.Answer)
		},
		yaml: func(m etcdmember.Standing) string {
			return fmt.Sprintf("- name: %q\n  peers: [%s]\n  leads: %v\n  answer: %q\n", m.Name, quoted(m.Peers), m.Leads, m.Answer)
		},
	}}
	fs := flag.NewFlagSet("member", flag.ContinueOnError)
	fs.StringVar(&c.etcd, "etcd", "http://localhost:2379", "`address` of this machine's etcd, as --etcd-client-listen-address and --etcd-client-port of its scheduler have it")
	c.members.flag(fs)
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
		return c.members.print(all, std.Out)
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

// quoted returns words for a list of YAML.
func quoted(words []string) string {
	all := make([]string, len(words))
	for i, w := range words {
		all[i] = fmt.Sprintf("%q", w)
	}
	return strings.Join(all, ", ")
}
