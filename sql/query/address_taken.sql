SELECT EXISTS (SELECT FROM space WHERE email_key = $1 AND access = 'password')
