package handlers

import (
	"strings"

	"github.com/gin-gonic/gin"
)

// reader says whom an address is for, and so what a page there may show, its mistakes included: the table of routes says it
// of every route, and nothing else decides it. A page for attendees is the same for everybody. Nobody's cookie or token is
// looked at for it: the device may be an organiser's, and passed on to a pupil.
type reader int

const (
	attendees  reader = iota // whoever was sent there; also at addresses where nothing is
	organisers               // who runs the sessions, or was shown one of them
	programs                 // which read no pages
)

// readerOf is whom the request's address is for. All addresses that begin alike are for the same: so one that is almost
// right, or is asked by another method, is answered in the same way.
func (s *server) readerOf(c *gin.Context) reader {
	return s.readers[firstSegment(c.Request.URL.Path)]
}

func firstSegment(path string) string {
	first, _, _ := strings.Cut(strings.TrimPrefix(path, "/"), "/")
	return first
}
