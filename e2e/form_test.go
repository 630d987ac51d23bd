package e2e

import (
	"crypto/rand"
	"fmt"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// The answer survives a reload, a double click, a lost connection and the back button. No page runs a script here.

// filled opens the survey of the session talk on a phone and answers its pages but the last, on which it picks.
func filled(t *testing.T) (service, browser) {
	t.Helper()
	s := startService(t)
	b := openBrowser(t, 360, 740)
	call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	b.do(chromedp.Navigate(s.url + "/feedback/talk"))
	b.pick("interest_before", 1) // 2 of 5
	b.enter("button.primary")
	b.pick("satisfaction", 4) // 5
	b.enter("button.primary")
	b.pick("interest_now", 3) // 4
	return s, b
}

// picked is the value that is chosen of a question on the page.
func (b browser) picked(question string) string {
	b.t.Helper()
	return b.js(fmt.Sprintf("document.querySelector(\"input[name='q.%s']:checked\")?.value", question))
}

// leave does what leads to another page and waits for it, be it the browser's own about a lost connection, or one that it
// has kept as it was.
func (b browser) leave(by func()) {
	b.t.Helper()
	this := rand.Text()
	b.js(fmt.Sprintf("window.before = %q", this))
	by()
	await(b.t, "the next page", func() bool {
		s, err := chromedp.Run(b.ctx, chromedp.Evaluate[string](fmt.Sprintf("String(window.before !== %q && document.readyState === 'complete')", this)))
		return err == nil && s == "true"
	})
}

// back presses the browser's back button.
func (b browser) back() {
	b.t.Helper()
	b.leave(func() {
		history, err := chromedp.Call(b.ctx, page.GetNavigationHistory, cdp.Empty{})
		if err != nil {
			b.t.Fatal(err)
		}
		call(b, page.NavigateToHistoryEntry, page.NavigateToHistoryEntryParams{EntryID: history.Entries[history.CurrentIndex-1].ID})
	})
}

// reload presses the browser's button for that, and says yes to sending a form again.
func (b browser) reload() {
	b.t.Helper()
	b.leave(func() { call(b, page.Reload, page.ReloadParams{}) })
}

// thanked checks the page that follows a survey: it says all that filled answered, and one person has answered.
func thanked(t *testing.T, s service, b browser) {
	t.Helper()
	if got := b.said("Avant la rencontre") + b.said("Cette rencontre") + b.said("Maintenant"); got != "254" {
		t.Errorf("the answers are %q on\n%s", got, b.js("document.body.innerText"))
	}
	if n := s.respondents(t); n != 1 {
		t.Errorf("%v respondents", n)
	}
}

func TestReload(t *testing.T) {
	t.Parallel()
	s, b := filled(t)
	b.reload() // the last page
	b.enter("button.link")
	b.reload()
	if got := b.picked("satisfaction"); got != "5" {
		t.Errorf("after a reload, the second page has %q", got)
	}
	b.enter("button.link")
	if got := b.picked("interest_before"); got != "2" {
		t.Errorf("after a reload, the first page has %q", got)
	}
	b.enter("button.primary")
	b.enter("button.primary")
	b.pick("interest_now", 3)
	b.enter("button.primary")
	b.reload()
	thanked(t, s, b)
}

func TestDoubleClick(t *testing.T) {
	t.Parallel()
	s, b := filled(t)
	b.js("document.querySelector('button.primary').scrollIntoView({block: 'center'})")
	var x, y float64
	box := b.js("(r => `${r.x + r.width / 2} ${r.y + r.height / 2}`)(document.querySelector('button.primary').getBoundingClientRect())")
	if _, err := fmt.Sscan(box, &x, &y); err != nil {
		t.Fatal(err)
	}
	b.leave(func() {
		click := input.DispatchMouseEventParams{X: x, Y: y, Button: input.MouseButtonLeft, Buttons: 1}
		for click.ClickCount = range int64(3) {
			if click.ClickCount > 0 {
				click.Type = input.DispatchMouseEventTypeMousePressed
				call(b, input.DispatchMouseEvent, click)
				click.Type = input.DispatchMouseEventTypeMouseReleased
				call(b, input.DispatchMouseEvent, click)
			}
		}
	})
	await(t, "the thanks", func() bool { return b.js("document.querySelector('.receipt') !== null") == "true" })
	thanked(t, s, b)
}

// disconnect is the command that older and newer browsers know.
var disconnect = cdp.Command[network.OverrideNetworkStateParams, cdp.Empty]{Method: "Network.emulateNetworkConditions"}

func TestLostConnection(t *testing.T) {
	t.Parallel()
	for name, again := range map[string]func(browser){
		"reload": browser.reload,
		"back and send": func(b browser) {
			b.back()
			if b.picked("interest_now") != "4" {
				b.pick("interest_now", 3)
			}
			b.enter("button.primary")
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s, b := filled(t)
			offline := func(is bool) {
				call(b, network.Enable, network.EnableParams{})
				call(b, disconnect, network.OverrideNetworkStateParams{Offline: is, DownloadThroughput: -1, UploadThroughput: -1})
			}
			offline(true)
			b.leave(func() {
				b.tabTo("button.primary")
				b.do(chromedp.KeyEvent(kb.Enter))
			})
			if b.js("location.href") != "chrome-error://chromewebdata/" || s.respondents(t) != 0 {
				t.Errorf("the connection was not lost, but leads to %s", b.js("location.href"))
			}
			offline(false)
			again(b)
			thanked(t, s, b)
		})
	}
}

func TestBackButton(t *testing.T) {
	t.Parallel()
	s, b := filled(t)
	b.back()
	if got := b.picked("satisfaction"); got != "5" {
		t.Errorf("back on the second page, it has %q", got)
	}
	b.back()
	if got := b.picked("interest_before"); got != "2" {
		t.Errorf("back on the first page, it has %q", got)
	}
	b.enter("button.primary")
	b.enter("button.primary")
	b.pick("interest_now", 3)
	b.enter("button.primary")
	thanked(t, s, b)

	b.back() // after sending: the browser may have kept the form, or asks again and hears that it was sent
	if b.js("document.querySelector('#receipt') === null") == "true" {
		b.enter("button.primary")
		thanked(t, s, b)
	}
	for b.js("document.querySelector(\"input[type=radio][name='q.interest_before']\") === null") == "true" {
		b.back()
	}
	b.tabTo("input[name='q.interest_before']:checked")
	b.do(chromedp.KeyEvent(kb.ArrowRight)) // 3
	for range 3 {
		b.enter("button.primary")
	}
	if before, n := b.said("Avant la rencontre"), s.respondents(t); before != "3" || n != 1 {
		t.Errorf("after a change from the browser's history: %q, %v respondents", before, n)
	}
}
