package web

// Pages are the paths that a browser can be sent to and that answer with a page.
func (s *Server) Pages() []string {
	var paths []string
	for _, r := range s.routes() {
		if r.get != nil {
			paths = append(paths, r.path)
		}
	}
	return paths
}

// FillDocuments takes all slots in which recaps are made.
func (s *Server) FillDocuments() (release func()) {
	for range cap(s.documents.slots) {
		s.documents.slots <- struct{}{}
	}
	return func() {
		for range cap(s.documents.slots) {
			<-s.documents.slots
		}
	}
}
