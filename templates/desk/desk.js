// What the pages of the desk do beyond plain forms. Without it everything can be done all the same, with a click more.
"use strict";
