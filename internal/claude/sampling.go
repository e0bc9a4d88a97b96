package claude

import "strconv"

// OneSampler picks one of a temperature and a top_p, as the models from [WithOneSampler] on take them: the other one where
// it is 1, which is what both are when nobody says anything, else the temperature. lost says that the top_p would have
// meant something.
func OneSampler[N ~string](temperature, topP N) (t, p N, lost bool) {
	switch {
	case temperature == "" || topP == "":
		return temperature, topP, false
	case isOne(string(topP)):
		return temperature, "", false
	case isOne(string(temperature)):
		return "", topP, false
	}
	return temperature, "", true
}

func isOne(number string) bool {
	f, err := strconv.ParseFloat(number, 64)
	return err == nil && f == 1
}
