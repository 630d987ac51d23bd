package page

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"mime"
	"net/http"
	"path"

	"github.com/gin-gonic/gin"

	"jauge/handlers/door"
)

//go:embed assets
var assetFiles embed.FS

// assetVersion changes with the assets, so that browsers may keep them for ever.
var assetVersion = hashAssets()

// hashAssets is a hash over the assets that pages name.
func hashAssets() string {
	h := sha256.New()
	for _, name := range []string{"style.css", "live.js", "kiosk.js"} {
		content, err := assetFiles.ReadFile("assets/" + name)
		if err != nil {
			panic(err) // embedded when built
		}
		h.Write(content)
	}
	return hex.EncodeToString(h.Sum(nil)[:6])
}

// Asset handles GET /assets/{file}: the stylesheet and the scripts.
func (p *Pages) Asset(c *gin.Context) error {
	name := c.Param("file")
	content, err := assetFiles.ReadFile("assets/" + name)
	if err != nil {
		return door.NotFound("There is no such file.")
	}
	if c.Query("v") == assetVersion {
		c.Header("Cache-Control", "public, max-age=31536000, immutable")
	}
	c.Data(http.StatusOK, mime.TypeByExtension(path.Ext(name)), content)
	return nil
}

// BeaconScript is the script that pages of other sites load.
func BeaconScript() ([]byte, error) { return assetFiles.ReadFile("assets/beacon.js") }
