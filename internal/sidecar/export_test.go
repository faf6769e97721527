package sidecar

import "net/url"

// RouteForTest returns the decoded name of the job that a request is about, if it is about one.
func RouteForTest(method string, u *url.URL) (name string, ok bool) {
	to := match(method, u)
	if to.resource != aJob {
		return "", false
	}
	name, err := url.QueryUnescape(to.name)
	return name, err == nil
}
