package e2e

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/page"
	"github.com/chromedp/cdproto/target"
	"github.com/chromedp/chromedp"
)

// On a shared device nobody finds what somebody else picked, whatever button of the browser they press.

// shortPause replaces the thanks' own, 20 s. It is long enough to be the same kind of navigation: one of up to a second takes
// the place of the page in the history.
const shortPause = "2"

// between stands between the service and the browser: it cuts the pause short, or takes away what lets the browser forget, as
// plain HTTP to another machine does.
func (s service) between(t *testing.T, short, remembers bool) service {
	t.Helper()
	to, err := url.Parse(s.url)
	if err != nil {
		t.Fatal(err)
	}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) { r.SetURL(to) },
		ModifyResponse: func(r *http.Response) error {
			if rest, ok := strings.CutPrefix(r.Header.Get("Refresh"), "20;"); ok && short {
				r.Header.Set("Refresh", shortPause+";"+rest)
			}
			if remembers {
				r.Header.Del("Clear-Site-Data")
			}
			return nil
		},
	}
	server := httptest.NewServer(proxy)
	t.Cleanup(server.Close)
	s.url = server.URL
	return s
}

// What a page is, seen by who comes next.
const (
	blankForm = "a blank form"
	picks     = "what somebody picked"
	thanks    = "the thanks"
	notice    = "the notice"
	resend    = "the browser's question whether to send a form again"
)

// found says what the page is, once it is something. Any trace of a pick counts: a control, a field that carries one, a word.
func (b browser) found() (what string) {
	b.t.Helper()
	look := fmt.Sprintf(`(() => {
		const some = (selector, holds) => [...document.querySelectorAll(selector)].some(holds || (() => true));
		if (location.href === "chrome-error://chromewebdata/") return %q;
		if (some("input:checked") || some("option:checked", (o) => o.value) || some("textarea, input[type=text]", (f) => f.value) ||
			some("input[type=hidden][name^='q.']") || document.documentElement.outerHTML.includes("secret")) return %q;
		if (document.readyState !== "complete" || !some("main")) return "";
		if (some("body.notice")) return %q;
		if (some("form[autocomplete=off] fieldset") && !some("button[value=back]")) return %q;
		return some("body.kiosk .well") ? %q : document.body.innerText;
	})()`, resend, picks, notice, blankForm, thanks)
	await(b.t, "a page", func() bool {
		var err error
		what, err = chromedp.Run(b.ctx, chromedp.Evaluate[string](look))
		return err == nil && what != ""
	})
	return what
}

// fill answers every question of the page.
func (b browser) fill() {
	b.t.Helper()
	b.run("fill", `for (const e of document.querySelectorAll("form input, form select, form textarea")) {
		if (e.type === "radio") e.click();
		if (e.type === "checkbox") e.checked = !document.querySelector("[name='" + e.name + "']:checked");
		if (e.type === "text") e.value = e.inputMode === "numeric" ? "7" : "secret";
		if (e.type === "textarea") e.value = "secret";
		if (e.type === "select-one") e.value = document.querySelectorAll("select").length === 1 || !e.name.endsWith("talk") ? "1" : "2";
	}`)
	if got := b.found(); got != picks {
		b.t.Fatalf("filled in, and it is %s", got)
	}
}

// click follows a link, or presses a button, and waits for the page that follows.
func (b browser) click(selector string) {
	b.t.Helper()
	b.leave(func() { b.run(selector, fmt.Sprintf("document.querySelector(%q).click()", selector)) })
}

// travel presses Back (-1) or Forward (1), and says whether there was a page.
func (b browser) travel(by int64) bool {
	b.t.Helper()
	history, err := chromedp.Call(b.ctx, page.GetNavigationHistory, cdp.Empty{})
	if err != nil {
		b.t.Fatal(err)
	}
	to := history.CurrentIndex + by
	if to < 0 || to >= int64(len(history.Entries)) || !strings.Contains(history.Entries[to].URL, "/feedback/") {
		return false
	}
	b.leave(func() {
		call(b, page.NavigateToHistoryEntry, page.NavigateToHistoryEntryParams{EntryID: history.Entries[to].ID})
	})
	return true
}

// step is what somebody does on the device, and what is then on it; a step that cannot be done any more ends the row.
func (b browser) step(name string) bool {
	b.t.Helper()
	switch name {
	case "fill":
		b.fill()
	case "next page", "send":
		b.click("button.primary")
	case "wait":
		await(b.t, "the pause to be over", func() bool { return b.found() == blankForm })
	case "next person":
		b.click("main a.button:not(.quiet)")
	case "stay":
		b.click("main a.button.quiet")
	case "start again":
		b.click("form + p a")
	case "language":
		b.click("a.lang")
	case "notice":
		b.click("main a[href*='/notice']")
	case "back to the form":
		b.click("main p:last-child a")
	case "back":
		return b.travel(-1)
	case "forward":
		return b.travel(1)
	default:
		b.t.Fatal(name)
	}
	return true
}

// forms are those of one page and of several: the session, and what sends them.
var forms = []struct{ name, session, send string }{
	{"one page", "short", "fill, send"},
	{"several pages", "talk", "fill, next page, fill, next page, fill, send"},
}

// ways are what the next person may do.
var ways = []struct{ name, begin, then string }{
	{"back from the thanks", "send", "back, back, back, back, forward, forward, forward, forward"},
	{"after the pause", "send", "wait, back, back, back, back, back, forward, forward, forward"},
	{"by the next person's link", "send", "next person, back, back, back, back, back, forward, forward, forward"},
	{"thanks that stay", "send", "stay, back, back, back, back, forward, forward"},
	{"two people", "send, next person, send", "next person, back, back, back, back, back, back, back, back"},
	{"another language", "fill", "language, back, forward, back"},
	{"left for the notice", "fill", "notice, back, forward, back to the form, back, back"},
	{"left half-way", "fill, next page, fill", "start again, back, back, back, forward, forward"},
}

// browsers are the ways to be one, and what they may show beside a blank form. None may show what was picked.
var browsers = []struct {
	name      string
	scripts   bool
	remembers bool // nothing lets it forget
	may       []string
}{
	{"with scripts", true, false, []string{blankForm}},
	{"with scripts over plain HTTP", true, true, []string{blankForm}},
	{"without scripts", false, false, []string{blankForm, thanks, resend}},
}

func TestSharedDevice(t *testing.T) {
	t.Parallel()
	s := startService(t)
	b := openBrowser(t, 800, 1000)
	b.do()
	for _, kind := range browsers {
		for _, form := range forms {
			for _, way := range ways {
				if way.name == "left half-way" && form.name == "one page" {
					continue
				}
				t.Run(kind.name+"/"+form.name+"/"+way.name, func(t *testing.T) {
					t.Parallel()
					tab := b.alone(t, kind.scripts)
					tab.do(chromedp.Navigate(s.between(t, strings.Contains(way.then, "wait"), kind.remembers).url + "/feedback/" + form.session + "?kiosk=1"))
					for step := range strings.SplitSeq(strings.ReplaceAll(way.begin, "send", form.send), ", ") {
						tab.step(step)
					}
					may := slices.Clone(kind.may)
					if form.name == "one page" {
						may = slices.DeleteFunc(may, func(what string) bool { return what == resend })
					}
					for i, step := range strings.Split(way.then, ", ") {
						if !tab.step(step) {
							continue // the end of the history
						}
						got := tab.found()
						if step == "notice" || step == "stay" || strings.Contains(way.then, "notice") && got == notice {
							continue
						}
						if !slices.Contains(may, got) {
							t.Errorf("step %d, %s: %s", i+1, step, got)
						}
					}
				})
			}
		}
	}
}

// alone opens a tab that shares nothing with the others.
func (b browser) alone(t *testing.T, scripts bool) browser {
	t.Helper()
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithNewBrowserContext())
	t.Cleanup(cancel)
	tab := browser{t, ctx}
	tab.do(chromedp.EmulateViewport(800, 1000))
	if !scripts {
		call(tab, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	}
	return tab
}

// What is left to the browser, as docs/feedback.md says: without scripts, and over plain HTTP, one that keeps pages whole
// shows them. Were it not so of this browser, TestSharedDevice would prove nothing.
func TestSharedDeviceWithoutMeans(t *testing.T) {
	t.Parallel()
	s := startService(t).between(t, false, true)
	b := openBrowser(t, 800, 1000)
	call(b, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	b.do(chromedp.Navigate(s.url + "/feedback/short?kiosk=1"))
	b.step("fill")
	b.step("send")
	b.step("back")
	if got := b.found(); got != picks {
		t.Errorf("this browser keeps no pages, but shows %s", got)
	}
}

// The organiser's page offers the form for a shared device. It opens where nothing leads back, though its browser is signed in.
func TestSharedDeviceOfAnOrganiser(t *testing.T) {
	t.Parallel()
	s := startService(t)
	b := openBrowser(t, 800, 1000)
	b.do(chromedp.Navigate(s.url+"/login?token="+organiserToken), chromedp.Navigate(s.url+"/sessions/short"))
	const address = "/feedback/short?kiosk=1"
	b.run("the link", fmt.Sprintf("document.querySelector('a[href$=%q]').click()", address))
	var id target.ID
	await(t, "the form", func() bool {
		tabs, err := chromedp.Targets(b.ctx)
		i := slices.IndexFunc(tabs, func(tab *target.Info) bool { return strings.HasSuffix(tab.URL, address) })
		if err == nil && i >= 0 {
			id = tabs[i].TargetID
		}
		return id != ""
	})
	ctx, cancel := chromedp.NewContext(b.ctx, chromedp.WithTargetID(id))
	t.Cleanup(cancel)
	form := browser{t, ctx}
	nowhere := func(where string) {
		t.Helper()
		if out := form.js("[...document.links].map((a) => a.pathname).filter((p) => !p.startsWith('/feedback/short'))"); out != "" {
			t.Errorf("%s leads to %s", where, out)
		}
		if some := form.js("document.querySelector('nav, footer, [action^=\"/log\"]') !== null || window.opener !== null"); some != "false" {
			t.Errorf("%s shows who is signed in:\n%s", where, form.js("document.body.innerText"))
		}
	}
	if got := form.found(); got != blankForm {
		t.Errorf("the link leads to %s", got)
	}
	nowhere("the form")
	if history, err := chromedp.Call(form.ctx, page.GetNavigationHistory, cdp.Empty{}); err != nil || len(history.Entries) != 1 {
		t.Errorf("before the form there is another page: %v %v", history, err)
	}
	form.fill()
	form.step("send")
	if got := form.found(); got != thanks {
		t.Errorf("the form leads to %s", got)
	}
	nowhere("the page of thanks")
	form.do(chromedp.Navigate(s.url + "/feedback/short/nothing?kiosk=1"))
	nowhere("a page of mistakes")
}
