module carillon

go 1.26.6
