package attend

import (
	"net/http"
	"strconv"

	"github.com/gin-gonic/gin"

	"jauge/handlers/page"
)

// A kiosk is a device that people share, one after the other. The next person must not find the answers of the one before, whatever
// button of the browser they press:
//
//   - Browsers keep the last few pages whole, for Back and Forward, and no-store does not stop all of them. So every page
//     here asks for /forget once it is shown, which lets the browser drop the pages that were shown before it.
//   - A page that is fetched anew has its fields filled in again. So its form says autocomplete="off".
//   - A page that answers a form cannot be fetched by Back; the browser asks whether to send the form again. So
//     page/assets/kiosk.js gives every page the address of a blank form. It also empties a page that is left, because over plain
//     HTTP browsers ignore /forget.
//
// docs/feedback.md says what remains.

// Forget handles GET /forget. It is a request of its own because the browser keeps the previous page when the next one arrives: a
// header of that one would come too early.
func Forget(c *gin.Context) error {
	c.Header("Clear-Site-Data", `"cache"`)
	c.Status(http.StatusNoContent)
	return nil
}

// kioskView thanks somebody who leaves the device to the next person.
type kioskView struct {
	Title   string
	Again   string // the address of a new form
	Seconds int    // until it opens by itself; 0: it does not
	Stay    string // the address of this page without the clock; empty: this is it
}

// kioskSeconds is how long the thanks stand on a shared device before it shows a new form.
const kioskSeconds = 20

// kioskThanks thanks without a receipt, which the next person would read. Slow readers can stop the clock (WCAG 2.2.1).
func (y layout) kioskThanks(c *gin.Context, f form) error {
	f.said.Set("kiosk", "1")
	lang := page.Chosen(c.Request)
	v := kioskView{Title: f.Session.Title.In(y.pages.Lang(c).Tag), Again: f.address(lang, "")}
	if c.Query("stay") == "" {
		v.Seconds, v.Stay = kioskSeconds, f.address(lang, "sent")+"&stay=1"
		c.Header("Refresh", strconv.Itoa(kioskSeconds)+"; url="+v.Again)
	}
	return y.pages.RenderTitled(c, http.StatusOK, "kiosk", v.Title, v)
}
