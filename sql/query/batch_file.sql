SELECT file_name FROM batch WHERE id = $1
