package page

import (
	"fmt"
	"strings"

	"rsc.io/qr"
)

// quietZone is the margin that ISO/IEC 18004 asks for, in modules.
const quietZone = 4

// QR draws a QR code as SVG, dark on white whatever the page's colours: scanners need it.
func QR(content string) ([]byte, error) {
	code, err := qr.Encode(content, qr.M)
	if err != nil {
		return nil, fmt.Errorf("QR code: %w", err)
	}
	var path strings.Builder
	for y := range code.Size {
		for x := range code.Size {
			if code.Black(x, y) {
				fmt.Fprintf(&path, "M%d %dh1v1h-1z", x+quietZone, y+quietZone)
			}
		}
	}
	size := code.Size + 2*quietZone
	return fmt.Appendf(nil, `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" width="%d" height="%d" shape-rendering="crispEdges">`+
		`<title>QR</title><path fill="#fff" d="M0 0h%dv%dH0z"/><path d="%s"/></svg>`, size, size, size*8, size*8, size, size, path.String()), nil
}
