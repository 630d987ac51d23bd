package survey

// Scale is whole numbers from Min to Max, the ends named by Low and High.
const Scale Kind = "scale"

// maxScale is the highest number of a scale.
const maxScale = 10

type scale struct{ whole }

func (scale) traits() traits {
	return traits{fields: []string{"min", "max", "low", "high", "pair"}, ordered: true, favourable: 2, summary: Average}
}

func (scale) check(v *validator, at string, q Question) {
	if q.Min < 0 {
		v.add(at+".min", "%d is below 0", q.Min)
	}
	if q.Max > maxScale {
		v.add(at+".max", "%d is above %d", q.Max, maxScale)
	}
	if q.Max <= q.Min {
		v.add(at+".max", "%d is not above min %d", q.Max, q.Min)
	}
}
