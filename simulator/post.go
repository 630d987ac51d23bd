package simulator

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// Poster sends deliveries to a running service.
type Poster struct {
	URL      string           // of the service, such as http://127.0.0.1:8080
	Client   *http.Client     // without a redirect policy of its own
	Now      func() time.Time // when requests are signed
	Patience time.Duration    // how long a request is tried again while the service is away or busy
}

// The waits between two attempts double from the first to the longest, unless the service names one (Retry-After).
const (
	firstWait   = 100 * time.Millisecond
	longestWait = 5 * time.Second
)

// Reach fails if no service answers at the URL; the error is a sentence for the person who typed it.
func (p Poster) Reach(ctx context.Context) error {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, p.path("healthz"), nil)
	if err != nil {
		return err
	}
	response, err := p.Client.Do(r)
	if err != nil {
		return fmt.Errorf("nothing answers at %s: is jauge serve running there? (%w)", p.URL, cause(err))
	}
	return response.Body.Close()
}

func (p Poster) path(elements ...string) string {
	return strings.TrimRight(p.URL, "/") + "/" + strings.Join(elements, "/")
}

// address is where a delivery goes; path is the platform's own end of the address, mostly empty.
func (p Poster) address(d Delivery, path string) string {
	switch {
	case d.Source == nil:
		return p.path("beacon", d.session)
	case path == "":
		return p.path("webhooks", d.Source.Name)
	}
	return p.path("webhooks", d.Source.Name, path)
}

// cause is an error without net/http's wrapping, which repeats method and URL.
func cause(err error) error {
	var wrapped interface{ Unwrap() error }
	if errors.As(err, &wrapped) {
		return wrapped.Unwrap()
	}
	return err
}

// Post sends a delivery and checks the status of the answer: 2xx, or 401 for a forged one. While the service cannot be reached or is
// too busy, the request is signed and sent again.
func (p Poster) Post(ctx context.Context, d Delivery) error {
	wait := firstWait
	for began := time.Now(); ; wait = min(2*wait, longestWait) {
		pause, err := p.attempt(ctx, d)
		if pause == 0 {
			return err
		}
		pause = max(pause, wait)
		if time.Since(began)+pause > p.Patience {
			return fmt.Errorf("gave up after %s: %w", time.Since(began).Round(time.Second), err)
		}
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return context.Cause(ctx)
		}
	}
}

// attempt sends once. With a pause above 0 it may be tried again, after at least that long.
func (p Poster) attempt(ctx context.Context, d Delivery) (pause time.Duration, _ error) {
	signed := d.Request(p.Now())
	r, err := http.NewRequestWithContext(ctx, signed.Method, p.address(d, signed.Path), bytes.NewReader(signed.Body))
	if err != nil {
		return 0, err
	}
	r.Header, r.URL.RawQuery = signed.Header, signed.Query.Encode()
	response, err := p.Client.Do(r)
	if ctx.Err() != nil {
		return 0, context.Cause(ctx)
	}
	if err != nil {
		return firstWait, fmt.Errorf("the service at %s cannot be reached: %w", p.URL, cause(err))
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, 1<<20)) // so that the connection is used again
	switch code := response.StatusCode; {
	case code == http.StatusTooManyRequests || code == http.StatusBadGateway || code == http.StatusServiceUnavailable || code == http.StatusGatewayTimeout:
		seconds, _ := strconv.Atoi(response.Header.Get("Retry-After"))
		return max(firstWait, time.Duration(seconds)*time.Second), fmt.Errorf("the service at %s cannot take requests: %s", p.URL, response.Status)
	case d.Forged && code != http.StatusUnauthorized:
		return 0, fmt.Errorf("a forged request of source %s was not refused: %s", d.Source.Name, response.Status)
	case d.Forged || code >= 200 && code < 300:
		return 0, nil
	case d.Source == nil:
		return 0, beaconRefused(d.session, response)
	}
	return 0, webhookRefused(d.Source.Name, response)
}

// webhookRefused says why a source's webhook may have been refused.
func webhookRefused(source string, response *http.Response) error {
	switch response.StatusCode {
	case http.StatusUnauthorized:
		return fmt.Errorf("the service refuses what source %s signs (401): its secret for this source differs from the configuration's, or its clock does from ours", source)
	case http.StatusNotFound:
		return fmt.Errorf("the service has no source %s (404): it runs on another configuration", source)
	}
	return fmt.Errorf("the service does not take what source %s sends: %s", source, response.Status)
}

// beaconRefused says why a session's beacon may have been refused.
func beaconRefused(session string, response *http.Response) error {
	switch response.StatusCode {
	case http.StatusNotFound:
		return fmt.Errorf("the service has no session %s (404): it runs on another configuration", session)
	case http.StatusConflict:
		return fmt.Errorf("the service takes no beacon of session %s (409): to it the session is over", session)
	case http.StatusGone:
		return fmt.Errorf("the service has closed a beacon of session %s (410): it did not hear it in time", session)
	}
	return fmt.Errorf("the service does not take a beacon of session %s: %s", session, response.Status)
}
