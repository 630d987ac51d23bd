package handlers

import (
	_ "embed"
	"net/http"

	"github.com/gin-gonic/gin"

	"jauge/handlers/door"
)

//go:embed openapi.yaml
var openapiFile []byte

// healthz handles GET /healthz: the process serves.
func (s *server) healthz(c *gin.Context) error {
	return door.Respond(c, http.StatusOK, gin.H{"status": "ok"})
}

// readyz handles GET /readyz: the store answers, too.
func (s *server) readyz(c *gin.Context) error {
	if err := s.Ready(c.Request.Context()); err != nil {
		return &door.Failure{Status: http.StatusServiceUnavailable, Code: "unavailable", Detail: door.Sentence(err)}
	}
	return door.Respond(c, http.StatusOK, gin.H{"status": "ready"})
}

// openapi handles GET /openapi.yaml.
func (s *server) openapi(c *gin.Context) error {
	c.Data(http.StatusOK, "application/yaml", openapiFile)
	return nil
}

// metrics handles GET /metrics.
func (s *server) metrics(c *gin.Context) error {
	s.MetricsHandler.ServeHTTP(c.Writer, c.Request)
	return nil
}
