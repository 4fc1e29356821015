"""Pages for people who look: a state of looking goes in, what is shown comes out; no arithmetic lives here."""
