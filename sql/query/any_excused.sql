-- Whether a mail is left that may yet tell that the relay was to blame.
SELECT EXISTS (SELECT FROM obligation WHERE blame = 'excused')
