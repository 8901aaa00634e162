-- Tells whether any mail is left that is excused: it may yet show that the relay was to blame.
SELECT EXISTS (SELECT FROM obligation WHERE blame = 'excused')
