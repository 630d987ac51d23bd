package survey

// NPS is 0 to 10: "would you recommend …".
const NPS Kind = "nps"

type nps struct{ whole }

func (nps) traits() traits {
	return traits{fields: []string{"low", "high", "pair"}, ordered: true, summary: NetScore}
}

func (nps) ends(Question) (low, high int) { return 0, 10 }

func (nps) shape(Question) string { return string(NPS) } // the ends are always the same
