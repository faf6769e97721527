package identity

import (
	"context"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"time"

	"github.com/spiffe/go-spiffe/v2/bundle/x509bundle"
	"github.com/spiffe/go-spiffe/v2/spiffeid"
	"github.com/spiffe/go-spiffe/v2/svid/x509svid"
)

// x509Material is the certificate of a process, and the anchors by which it verifies others. It is
// immutable.
type x509Material struct {
	svid    *x509svid.SVID // nil until there is one
	renewAt time.Time      // when to replace the certificate; zero if a file is its source
	anchors anchors
}

// verify returns an error if the certificate does not verify with the anchors.
func (p x509Material) verify() error {
	_, _, err := x509svid.Verify(p.svid.Certificates, p.anchors)
	return err
}

// anchors are the trust anchors, for all trust domains.
type anchors []*x509.Certificate

// GetX509BundleForTrustDomain implements [x509bundle.Source].
func (a anchors) GetX509BundleForTrustDomain(domain spiffeid.TrustDomain) (*x509bundle.Bundle, error) {
	return x509bundle.FromX509Authorities(domain, a), nil
}

// provider is where X.509 material comes from: *sentryProvider or *fileProvider.
type provider interface { // *sentryProvider; *fileProvider
	// fetch returns the material to use from now on, which is have if nothing is new. It is valid
	// even with an error.
	fetch(ctx context.Context, have x509Material) (x509Material, error)
}

// parseCerts parses the certificates in text, at least one.
func parseCerts(text []byte) (anchors, error) {
	var all anchors
	for {
		var block *pem.Block
		if block, text = pem.Decode(text); block == nil {
			break
		}
		if block.Type != "CERTIFICATE" {
			continue
		}
		cert, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, err
		}
		all = append(all, cert)
	}
	if len(all) == 0 {
		return nil, errors.New("it holds no certificate in PEM")
	}
	return all, nil
}
