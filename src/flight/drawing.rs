pub struct Drawing;
